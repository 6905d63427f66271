CREATE TABLE reservation (
    id INTEGER PRIMARY KEY,
    book_id INTEGER NOT NULL REFERENCES book (id),
    member_id INTEGER NOT NULL REFERENCES member (id),
    reserved_on TEXT NOT NULL,
    ready_on TEXT,
    expires_on TEXT,
    ended_on TEXT,
    outcome TEXT CHECK (outcome IN ('collected', 'cancelled', 'expired')),
    CHECK ((ready_on IS NULL) = (expires_on IS NULL)),
    CHECK ((ended_on IS NULL) = (outcome IS NULL))
);

CREATE UNIQUE INDEX reservation_open ON reservation (book_id, member_id) WHERE ended_on IS NULL;
CREATE INDEX reservation_open_by_member ON reservation (member_id) WHERE ended_on IS NULL;
