package store

import "time"

// Location returns the rules of a Windows time zone, false when the id is unknown.
func Location(windowsID string) (*time.Location, bool) {
	name, ok := shim[windowsID]
	if !ok {
		return nil, false
	}
	loc, err := time.LoadLocation(name)
	return loc, err == nil
}

// shim serves until package zones is there.
var shim = map[string]string{
	"UTC": "UTC", "W. Europe Standard Time": "Europe/Berlin", "GMT Standard Time": "Europe/London",
	"Pacific Standard Time": "America/Los_Angeles", "Eastern Standard Time": "America/New_York", "India Standard Time": "Asia/Kolkata",
	"Romance Standard Time": "Europe/Paris", "Tokyo Standard Time": "Asia/Tokyo", "Central Europe Standard Time": "Europe/Budapest",
}
