CREATE TABLE notice (
    id INTEGER PRIMARY KEY,
    member_id INTEGER NOT NULL REFERENCES member (id),
    written_on TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL
);

CREATE INDEX notice_by_member ON notice (member_id);
