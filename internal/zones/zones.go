// Package zones converts between the time zone ids of Windows, which Exchange uses, and those of the IANA database,
// which everybody else uses. It does no I/O beyond loading a zone's rules, of which a copy is compiled in.
//
// The mapping is the one of Unicode's CLDR (windowsZones.xml), generated into table.go; gen says from which files.
package zones

import (
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a container or a Windows server may have no zone database
)

//go:generate go run ./gen -windows windowsZones.json -aliases timezone.json -license LICENSE -o table.go -dates cldr-dates-full -meta metaZones.json -names names.go

// Zone is a Windows time zone.
type Zone struct {
	Windows string // id, such as "W. Europe Standard Time"
	// IANA is the zone that CLDR gives for the territory 001 (world), by its present IANA name: "Europe/Berlin".
	IANA string
}

// microsoftUTC is what clients of the Windows Runtime write for UTC; Exchange stores it and hands it on. (DavMail's
// issue 469 shows one.)
const microsoftUTC = "tzone://microsoft/utc"

// index is made of the table on first use.
type index struct {
	byWindows map[string]int    // lower-case Windows id → position in table
	byIANA    map[string]string // lower-case IANA name → Windows id
}

var indexes = sync.OnceValue(func() index {
	x := index{make(map[string]int, len(table)), make(map[string]string, 8*len(table))}
	for i, z := range table {
		x.byWindows[strings.ToLower(z.windows)] = i
		for name := range strings.FieldsSeq(strings.ToLower(z.names)) {
			x.byIANA[name] = z.windows
		}
	}
	x.byWindows[microsoftUTC] = x.byWindows["utc"]
	return x
})

var locations sync.Map // IANA name → *time.Location

// IANA returns the IANA name of a Windows zone, for the territory 001 (world). Case does not matter. It reports
// false for ids that Windows does not define, such as "Customized Time Zone" or a localized display name.
func IANA(windowsID string) (string, bool) {
	i, ok := indexes().byWindows[strings.ToLower(windowsID)]
	if !ok {
		return "", false
	}
	return table[i].iana, true
}

// Location returns the rules of a Windows zone, or false where [IANA] does.
func Location(windowsID string) (*time.Location, bool) {
	name, ok := IANA(windowsID)
	if !ok {
		return nil, false
	}
	if loc, ok := locations.Load(name); ok {
		return loc.(*time.Location), true
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, false // the test loads every one of them from the compiled-in copy
	}
	kept, _ := locations.LoadOrStore(name, loc)
	return kept.(*time.Location), true
}

// Windows returns the Windows zone of an IANA name: of every zone that CLDR maps, in any territory, under its present
// name or an older one ("Asia/Kolkata", "Asia/Calcutta"). Case does not matter.
func Windows(iana string) (string, bool) {
	id, ok := indexes().byIANA[strings.ToLower(iana)]
	return id, ok
}

// All returns every Windows zone, sorted by id.
func All() []Zone {
	all := make([]Zone, len(table))
	for i, z := range table {
		all[i] = Zone{Windows: z.windows, IANA: z.iana}
	}
	slices.SortFunc(all, func(a, b Zone) int { return strings.Compare(a.Windows, b.Windows) })
	return all
}
