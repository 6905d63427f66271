-- Money that was given to the house, what for, and the receipts that were written.
CREATE TABLE gift (
    id INTEGER PRIMARY KEY,
    giver TEXT NOT NULL,
    purpose TEXT NOT NULL,
    cents INTEGER NOT NULL CHECK (cents > 0),
    given_on TEXT NOT NULL,
    receipt INTEGER UNIQUE
);

CREATE INDEX gift_by_giver ON gift (giver, given_on);
