package zones

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryZone(t *testing.T) {
	all := All()
	if len(all) < 130 {
		t.Fatalf("%d zones, want all of Windows (about 140)", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b Zone) int { return strings.Compare(a.Windows, b.Windows) }) {
		t.Error("All is not sorted by id")
	}
	for _, z := range all {
		loc, ok := Location(z.Windows)
		if !ok {
			t.Errorf("%s: no rules for %s", z.Windows, z.IANA)
			continue
		}
		if again, _ := Location(z.Windows); again != loc {
			t.Errorf("%s: loaded twice", z.Windows)
		}
		if loc.String() != z.IANA {
			t.Errorf("%s: rules of %s, want %s", z.Windows, loc, z.IANA)
		}
		if back, _ := Windows(z.IANA); back != z.Windows {
			t.Errorf("%s → %s → %q", z.Windows, z.IANA, back)
		}
	}
}

// withdrawn names stand in CLDR for ever, but no longer in the IANA database.
var withdrawn = []string{"Canada/East-Saskatchewan", "US/Pacific-New"}

// No IANA name may mean two Windows zones, or the answer would depend on the order of a map.
func TestNamesAreUnique(t *testing.T) {
	owner := map[string]string{}
	for _, z := range table {
		for name := range strings.FieldsSeq(z.names) {
			if other, ok := owner[name]; ok {
				t.Errorf("%s means %s and %s", name, other, z.windows)
			}
			owner[name] = z.windows
			if got, _ := Windows(name); got != z.windows {
				t.Errorf("Windows(%s) = %q, want %q", name, got, z.windows)
			}
			if _, err := time.LoadLocation(name); err != nil && !slices.Contains(withdrawn, name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestWindows(t *testing.T) {
	for _, tt := range []struct{ iana, want string }{
		{"Europe/Zurich", "W. Europe Standard Time"}, // territory CH
		{"Europe/Vaduz", "W. Europe Standard Time"},
		{"europe/zurich", "W. Europe Standard Time"},
		{"Asia/Calcutta", "India Standard Time"}, // an old name
		{"Asia/Kolkata", "India Standard Time"},
		{"Europe/Kiev", "FLE Standard Time"},
		{"Europe/Kyiv", "FLE Standard Time"},
		{"UTC", "UTC"},
		{"Europe/London", "GMT Standard Time"},
		{"Mars/Olympus", ""},
		{"", ""},
	} {
		got, ok := Windows(tt.iana)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("Windows(%q) = %q, %v; want %q", tt.iana, got, ok, tt.want)
		}
	}
}

func TestIANA(t *testing.T) {
	for _, tt := range []struct{ windows, want string }{
		{"W. Europe Standard Time", "Europe/Berlin"},
		{"w. europe standard time", "Europe/Berlin"},
		{"GMT Standard Time", "Europe/London"}, // has summer time, in spite of its name
		{"Greenwich Standard Time", "Atlantic/Reykjavik"},
		{"India Standard Time", "Asia/Kolkata"},
		{"tzone://Microsoft/Utc", "Etc/UTC"},
		{"Customized Time Zone", ""},
		{"Mitteleuropäische Zeit", ""}, // a localized display name (exchangelib's issue 1197)
		{"Europe/Berlin", ""},
		{"", ""},
	} {
		got, ok := IANA(tt.windows)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("IANA(%q) = %q, %v; want %q", tt.windows, got, ok, tt.want)
		}
		if _, ok := Location(tt.windows); ok != (tt.want != "") {
			t.Errorf("Location(%q) found: %v", tt.windows, ok)
		}
	}
}

// The hour that a zone skips and the one it repeats show that real rules were loaded, not a fixed offset.
func TestSummerTime(t *testing.T) {
	loc, ok := Location("W. Europe Standard Time")
	if !ok {
		t.Fatal("W. Europe Standard Time is unknown")
	}
	for _, tt := range []struct{ utc, want string }{
		{"2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00"},
		{"2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"2026-10-25T00:59:59Z", "2026-10-25T02:59:59+02:00"},
		{"2026-10-25T01:00:00Z", "2026-10-25T02:00:00+01:00"},
	} {
		at, err := time.Parse(time.RFC3339, tt.utc)
		if err != nil {
			t.Fatal(err)
		}
		if got := at.In(loc).Format(time.RFC3339); got != tt.want {
			t.Errorf("%s is %s, want %s", tt.utc, got, tt.want)
		}
	}
}

func BenchmarkLocation(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Location("W. Europe Standard Time")
	}
}
