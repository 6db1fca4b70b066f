package zones

import "testing"

func TestResolve(t *testing.T) {
	for name, want := range map[string]string{
		"W. Europe Standard Time":           "W. Europe Standard Time",
		" w. europe standard time ":         "W. Europe Standard Time",
		"W. Europe Daylight Time":           "W. Europe Standard Time",
		"Central European Standard Time":    "Central European Standard Time", // Windows' id, though CLDR says it of Paris
		"Europe/Zurich":                     "W. Europe Standard Time",
		"Asia/Calcutta":                     "India Standard Time",
		"tzone://Microsoft/Utc":             "UTC",
		"Mitteleuropäische Zeit":            "W. Europe Standard Time",
		"MITTELEUROPÄISCHE SOMMERZEIT":      "W. Europe Standard Time",
		"Koordinierte Weltzeit":             "UTC",
		"Osteuropäische Zeit":               "GTB Standard Time",
		"heure d’été d’Europe centrale":     "Romance Standard Time",
		"Paris, Madrid (heure d’été)":       "Romance Standard Time",
		"Europe de l'Ouest":                 "W. Europe Standard Time",
		"ora legale Europa occidentale":     "W. Europe Standard Time",
		"Ora standard dell’Europa centrale": "W. Europe Standard Time",
		"Pacific Daylight Time":             "Pacific Standard Time",

		"(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien":      "W. Europe Standard Time",
		"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna":   "W. Europe Standard Time",
		"(UTC+01:00) Amsterdam, Berlin, Berne, Rome, Stockholm, Vienne":  "W. Europe Standard Time",
		"(GMT+01:00) Amsterdam, Berlino, Berna, Roma, Stoccolma, Vienna": "W. Europe Standard Time",
		"(UTC+01:00) Brüssel, Kopenhagen, Madrid, Paris":                 "Romance Standard Time",
		"(UTC+01:00) Belgrad, Bratislava, Budapest, Ljubljana, Prag":     "Central Europe Standard Time",
		"(UTC+01:00) Sarajevo, Skopje, Warschau, Zagreb":                 "Central European Standard Time",
		"(UTC+00:00) Dublin, Edinburgh, Lissabon, London":                "GMT Standard Time",
		"(UTC) Koordinierte Weltzeit":                                    "UTC",
		"(UTC+05:30) Chennai, Kolkata, Mumbai, Neu-Delhi":                "India Standard Time",
		"(UTC-03:00) Montevideo":                                         "Montevideo Standard Time",
	} {
		if got, ok := Resolve(name); got != want || !ok {
			t.Errorf("Resolve(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, name := range []string{
		"", "Customized Time Zone", "Mitteldeutsche Zeit", "(UTC+01:00) Bern",
		"(UTC+02:00) Berlin",        // not its offset
		"(UTC+01:00) Berlin, Paris", // two zones
		"+01:00", "()", "(UTC+99:99) Berlin",
	} {
		if got, ok := Resolve(name); ok {
			t.Errorf("Resolve(%q) = %q, want nothing", name, got)
		}
	}
}

// Every name leads to a zone that exists.
func TestLocalNames(t *testing.T) {
	if len(localNames) < 80 || len(localCities) < 130 {
		t.Fatalf("%d zones have names and %d have cities", len(localNames), len(localCities))
	}
	for name, id := range nameIndexes().names {
		if fold(name) != name {
			t.Errorf("%q is not folded", name)
		}
		if _, ok := IANA(id); !ok {
			t.Errorf("%q is of %q, which is no zone", name, id)
		}
	}
}

func TestSuggest(t *testing.T) {
	for name, want := range map[string]string{
		"Europe/Zürich": "Europe/Zurich", "W.Europe Standard Time": "W. Europe Standard Time", "Europe/Berlim": "Europe/Berlin", "MEZ plus eins": "",
	} {
		if got := Suggest(name); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
}
