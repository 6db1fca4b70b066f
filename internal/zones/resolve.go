package zones

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// windowsNames are names that Windows itself has in some language where CLDR has another: standard and daylight names, as
// its clients write them into the dates they print.
var windowsNames = map[string]string{
	"europe de l'ouest":               "W. Europe Standard Time",
	"europe de l'ouest (heure d'été)": "W. Europe Standard Time",
	"ora solare europa occidentale":   "W. Europe Standard Time",
	"ora legale europa occidentale":   "W. Europe Standard Time",
	"paris, madrid":                   "Romance Standard Time",
	"paris, madrid (heure d'été)":     "Romance Standard Time",
	"koordinierte weltzeit":           "UTC",
	"temps universel coordonné":       "UTC",
	"coordinated universal time":      "UTC",
}

type nameIndex struct {
	names  map[string]string   // folded name → Windows id
	cities map[string][]string // folded city → Windows ids
}

var nameIndexes = sync.OnceValue(func() nameIndex {
	x := nameIndex{map[string]string{}, map[string][]string{}}
	for _, z := range localNames {
		for name := range strings.SplitSeq(z.names, "|") {
			x.names[name] = z.windows
		}
	}
	for _, z := range localCities {
		for name := range strings.SplitSeq(z.names, "|") {
			x.cities[name] = append(x.cities[name], z.windows)
		}
	}
	for name, windows := range windowsNames {
		x.names[name] = windows
	}
	return x
})

// Resolve returns the Windows id of a zone that somebody names: by its Windows id, an IANA name, or what it is called in
// English, German, French or Italian, in summer too ("W. Europe Daylight Time", "Mitteleuropäische Zeit"), or as Windows
// shows it in a list ("(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien"). Case does not matter.
//
// The names are CLDR's and, where Windows is known to have others, Windows'. One that several zones have in common is that
// of the language's own country: "Mitteleuropäische Zeit" is Berlin's.
func Resolve(name string) (string, bool) {
	name = strings.TrimSpace(name)
	if i, ok := indexes().byWindows[strings.ToLower(name)]; ok {
		return table[i].windows, true
	}
	if id, ok := Windows(name); ok {
		return id, true
	}
	folded := fold(name)
	if id, ok := byName(folded); ok {
		return id, true
	}
	if m := listed.FindStringSubmatch(folded); m != nil {
		return byListEntry(m[1], m[2])
	}
	return "", false
}

// listed is an entry of Windows' list of zones: the offset without summer time, and places or a name.
var listed = regexp.MustCompile(`^\((?:utc|gmt)\s*([+\-−–]\d{1,2}:\d{2})?\)\s*(.+)$`)

var foldings = strings.NewReplacer("’", "'", "\u00a0", " ", "\u202f", " ")

func fold(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(foldings.Replace(name)), " "))
}

func byName(folded string) (string, bool) {
	if id, ok := nameIndexes().names[folded]; ok {
		return id, true
	}
	if winter, ok := strings.CutSuffix(folded, " daylight time"); ok {
		if i, ok := indexes().byWindows[winter+" standard time"]; ok {
			return table[i].windows, true
		}
	}
	return "", false
}

// byListEntry knows a zone by its places. Those that are known must all agree; of the zones that a place may stand for
// only those with the entry's offset count.
func byListEntry(offset, places string) (string, bool) {
	if id, ok := byName(places); ok && hasOffset(id, offset) {
		return id, true
	}
	found := ""
	for place := range strings.SplitSeq(places, ",") {
		var here []string
		for _, id := range nameIndexes().cities[strings.TrimSpace(place)] {
			if hasOffset(id, offset) {
				here = append(here, id)
			}
		}
		switch {
		case len(here) != 1:
		case found != "" && found != here[0]:
			return "", false
		default:
			found = here[0]
		}
	}
	return found, found != ""
}

// hasOffset says whether a zone is that far from UTC in winter, or in summer on the other half of the earth.
func hasOffset(windowsID, offset string) bool {
	loc, ok := Location(windowsID)
	if !ok {
		return false
	}
	want := 0
	if offset != "" {
		t, err := time.Parse("-07:00", normalOffset(offset))
		if err != nil {
			return false
		}
		_, want = t.Zone()
	}
	_, january := time.Date(2026, time.January, 1, 0, 0, 0, 0, loc).Zone()
	_, july := time.Date(2026, time.July, 1, 0, 0, 0, 0, loc).Zone()
	return want == min(january, july)
}

func normalOffset(offset string) string {
	offset = strings.NewReplacer("−", "-", "–", "-").Replace(offset)
	if len(offset) == len("+1:00") {
		offset = offset[:1] + "0" + offset[1:]
	}
	return offset
}

// Suggest returns the Windows id or IANA name that is written most like name, or "" where none is near.
func Suggest(name string) string {
	best, distance := "", len(name)/4+2
	try := func(known string) {
		if d := editDistance(strings.ToLower(name), strings.ToLower(known), distance); d < distance {
			best, distance = known, d
		}
	}
	for _, z := range table {
		try(z.windows)
		for iana := range strings.FieldsSeq(z.names) {
			try(iana)
		}
	}
	return best
}

// editDistance is Levenshtein's, or limit where it is not below that.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return min(row[len(b)], limit)
}
