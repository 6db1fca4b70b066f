package main

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"roomsync/internal/config"
	"roomsync/internal/daemon"
)

// text is what came out, for people: the settings, then what there is to say of them, the worst first.
func (c checked) text(verbose bool) string {
	var b bytes.Buffer
	c.table(&b, verbose)
	remarks := c.remarks()
	if len(remarks) > 0 {
		b.WriteByte('\n')
	}
	for _, r := range remarks {
		b.WriteString(hanging(r.word, r.text))
		if r.do != "" {
			b.WriteString(hanging("", r.do))
		}
	}
	return b.String()
}

// always are the settings that are shown also when nobody gave them, since they decide most.
var always = []string{"nats-url", "ews-url", "auth", "impersonation"}

func (c checked) table(b *bytes.Buffer, verbose bool) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	hidden, folder := 0, c.roomsFolder()
	for _, v := range c.Settings {
		if v.From == "default" && !verbose && !slices.Contains(always, v.Name) {
			hidden++
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, or(v.Value, "-"), strings.ReplaceAll(v.From, folder, ""))
	}
	if x := c.Certificate; x != nil {
		_, _ = fmt.Fprintf(w, "certificate\tuntil %s (%s left)\tthe certificate itself\n", x.NotAfter.Format(time.DateOnly), count(x.DaysLeft, "day"))
	}
	_ = w.Flush() // into a buffer
	if hidden > 0 {
		fmt.Fprintf(b, "and %s with the default value: --verbose shows them all\n", count(hidden, "setting"))
	}
}

// roomsFolder is what the name of RoomsAppSettings.config begins with, which is shown once.
func (c checked) roomsFolder() string {
	for _, v := range c.Settings {
		if v.Name == "rooms-config" {
			return filepath.Dir(v.Value) + string(filepath.Separator)
		}
	}
	return ""
}

// remark is one thing to say, beside a word that tells how much it matters.
type remark struct{ word, text, do string }

// weights are the words of remarks, the worst first.
var weights = []string{"FAULT", "FAILED", config.LevelWarning, "skipped", config.LevelNote, "ok"}

func (c checked) remarks() (all []remark) {
	for _, f := range c.Faults {
		all = append(all, remark{"FAULT", f.Key + ": " + f.Problem, ""})
	}
	for _, f := range c.Findings {
		all = append(all, remark{f.Level, f.About + ": " + f.Problem, ""})
	}
	if c.Online != nil {
		for _, s := range c.Online.Steps {
			all = append(all, remarkOn(s))
		}
	}
	slices.SortStableFunc(all, func(a, b remark) int {
		return cmp.Compare(slices.Index(weights, a.word), slices.Index(weights, b.word))
	})
	return all
}

func remarkOn(s daemon.Step) remark {
	r := remark{"FAILED", s.Name + ": " + s.Said, s.Do}
	switch {
	case s.OK:
		r.word = "ok"
	case s.Skipped:
		r.word = "skipped"
	}
	if s.Took > 0 {
		r.text = strings.TrimSuffix(r.text, ".") + fmt.Sprintf(" (%v)", s.Took.Round(time.Millisecond))
	}
	return r
}
