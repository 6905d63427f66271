-- What members wish the library to buy. decided_on is empty as long as nobody has decided.
CREATE TABLE wish (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    author TEXT NOT NULL,
    wished_on TEXT NOT NULL,
    decided_on TEXT,
    bought INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE wish_voice (
    wish_id INTEGER NOT NULL REFERENCES wish (id),
    member_id INTEGER NOT NULL REFERENCES member (id),
    PRIMARY KEY (wish_id, member_id)
);
