-- Who has the key of which locker. A key that is out has no returned_on.
CREATE TABLE locker_key (
    id INTEGER PRIMARY KEY,
    locker INTEGER NOT NULL CHECK (locker > 0),
    member_id INTEGER NOT NULL REFERENCES member (id),
    given_on TEXT NOT NULL,
    returned_on TEXT
);

CREATE UNIQUE INDEX locker_key_out ON locker_key (locker) WHERE returned_on IS NULL;
CREATE UNIQUE INDEX locker_key_of_member ON locker_key (member_id) WHERE returned_on IS NULL;
