package retirement

import (
	"strings"
	"testing"
	"time"
)

func TestOnline(t *testing.T) {
	for url, want := range map[string]bool{
		"https://outlook.office365.com/EWS/Exchange.asmx":     true,
		"https://OUTLOOK.office365.com:443/ews/exchange.asmx": true,
		"https://outlook.office365.us/EWS/Exchange.asmx":      true,
		"https://partner.outlook.cn/EWS/Exchange.asmx":        true,
		"https://mail.contoso.com/EWS/Exchange.asmx":          false,
		"https://outlook.office365.com.evil.example/EWS":      false,
		"https://evil.example/outlook.office365.com":          false,
		"https://outlook.office365.com@evil.example/EWS":      false,
		"http://127.0.0.1:8445/EWS/Exchange.asmx":             false,
		"": false,
		"https://outlook.office365.com/EWS/Exchange.asmx\x00": false,
	} {
		if got := Online(url); got != want {
			t.Errorf("Online(%q) = %v, want %v", url, got, want)
		}
	}
}

func TestNotice(t *testing.T) {
	berlin := time.FixedZone("CEST", 2*60*60)
	for name, c := range map[string]struct {
		now    time.Time
		notice []string
		hint   string
		left   int
	}{
		"before":               {time.Date(2026, 9, 19, 8, 0, 0, 0, time.UTC), []string{"begins", "2026-10-01 (in 12 days)", "for good on 2027-04-01", AllowList}, "leaves this app out", 194},
		"the evening before":   {time.Date(2026, 9, 30, 23, 59, 0, 0, time.UTC), []string{"(in 1 day)"}, "leaves this app out", 183},
		"elsewhere it is then": {time.Date(2026, 10, 1, 1, 0, 0, 0, berlin), []string{"(in 1 day)"}, "leaves this app out", 183},
		"the first day":        {Start, []string{"tenant by tenant since 2026-10-01", "for good on 2027-04-01 (in 182 days)", AllowList}, "EwsAllowedAppIDs", 182},
		"in between":           {time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), []string{"(in 129 days)"}, "since 2026-10-01", 129},
		"the last day":         {time.Date(2027, 3, 31, 23, 0, 0, 0, time.UTC), []string{"(in 1 day)"}, "since 2026-10-01", 1},
		"over":                 {End, []string{"switched EWS off", "on 2027-04-01 for good", "Graph"}, "for good", 0},
		"long over":            {End.AddDate(1, 0, 0), []string{"no setting brings it back"}, "for good", 0},
	} {
		notice := Notice(c.now)
		for _, want := range append(c.notice, "on premises is not affected") {
			if !strings.Contains(notice, want) {
				t.Errorf("%s: lacks %q: %s", name, want, notice)
			}
		}
		if strings.Contains(notice, "\n") {
			t.Errorf("%s: more than a line", name)
		}
		if hint := Hint(c.now); !strings.Contains(hint, c.hint) || len(hint) > 200 {
			t.Errorf("%s: hint: %s", name, hint)
		}
		if left := DaysLeft(c.now); left != c.left {
			t.Errorf("%s: %d days left, want %d", name, left, c.left)
		}
	}
}
