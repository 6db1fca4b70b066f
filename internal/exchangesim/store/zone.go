package store

import (
	"time"

	"roomsync/internal/zones"
)

// Location returns the rules of a Windows time zone, false when the id is unknown.
func Location(windowsID string) (*time.Location, bool) { return zones.Location(windowsID) }
