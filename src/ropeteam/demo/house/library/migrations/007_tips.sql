-- Tips of the house: books that a member recommends, with a sentence and up to five stars.
CREATE TABLE tip (
    id INTEGER PRIMARY KEY,
    book_id INTEGER NOT NULL REFERENCES book (id),
    member_id INTEGER NOT NULL REFERENCES member (id),
    stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    sentence TEXT NOT NULL,
    given_on TEXT NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0,
    UNIQUE (book_id, member_id)
);
