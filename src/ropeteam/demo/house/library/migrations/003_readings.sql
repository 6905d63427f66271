-- Readings in the house, and who has a seat or waits for one. The order of the signs-up is that of the ids.
CREATE TABLE reading (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    held_on TEXT NOT NULL,
    seats INTEGER NOT NULL CHECK (seats > 0)
);

CREATE TABLE reading_guest (
    id INTEGER PRIMARY KEY,
    reading_id INTEGER NOT NULL REFERENCES reading (id),
    member_id INTEGER NOT NULL REFERENCES member (id),
    UNIQUE (reading_id, member_id)
);
