-- Shifts of members who help at the desk, and who has taken one.
CREATE TABLE shift (
    id INTEGER PRIMARY KEY,
    day TEXT NOT NULL,
    task TEXT NOT NULL,
    helpers INTEGER NOT NULL CHECK (helpers > 0)
);

CREATE TABLE shift_helper (
    shift_id INTEGER NOT NULL REFERENCES shift (id),
    member_id INTEGER NOT NULL REFERENCES member (id),
    minutes INTEGER,
    PRIMARY KEY (shift_id, member_id)
);
