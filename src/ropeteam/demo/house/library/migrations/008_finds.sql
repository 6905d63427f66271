-- Things that were found in the house. gone_on is empty as long as a thing is kept.
CREATE TABLE find (
    id INTEGER PRIMARY KEY,
    what TEXT NOT NULL,
    place TEXT NOT NULL,
    found_on TEXT NOT NULL,
    gone_on TEXT,
    taken_by TEXT NOT NULL DEFAULT ''
);

CREATE INDEX find_kept ON find (found_on) WHERE gone_on IS NULL;
