-- Desks of the reading room, booked for half a day each.
CREATE TABLE desk_booking (
    id INTEGER PRIMARY KEY,
    desk INTEGER NOT NULL CHECK (desk > 0),
    day TEXT NOT NULL,
    half TEXT NOT NULL CHECK (half IN ('morning', 'afternoon')),
    member_id INTEGER NOT NULL REFERENCES member (id),
    UNIQUE (desk, day, half),
    UNIQUE (member_id, day, half)
);
