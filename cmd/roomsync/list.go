package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/config"
	"roomsync/internal/jobs"
)

// States as "mailboxes list" shows them, worst last. Those of package jobs stand as they are.
const (
	stateOff       = "off"
	stateNew       = "new"
	stateThrottled = "throttled"
	stateLate      = "late"
	// stateRefused is denied or blocked, in --state and in the summary.
	stateRefused = "refused"
)

var states = []string{
	string(jobs.StateOK), stateNew, stateOff, stateThrottled, string(jobs.StateHeld), string(jobs.StateNoSignIn), stateLate,
	string(jobs.StateDenied), string(jobs.StateBlocked), string(jobs.StateFailed),
}

const listHelp = `List the mailboxes and how they fare. States (docs/states.md has the details):

  ok         the last look was a success, or failed in passing (REASON says why)
  new        not yet synchronized; when it stays, the dispatcher or the workers do not run
  late       nobody looked at it when it was due: no worker runs, or there are too few
  throttled  Exchange has asked for a pause
  denied     Exchange refuses access
  blocked    the mailbox is missing, disabled or not usable
  no-sign-in no worker can sign in to Exchange, and all wait
  held       many mailboxes of this sign-in are refused at once, and all wait
  failed     given up with a dead letter, and looked at again slowly
  off        not enabled

Times in the table are those of this computer's time zone, times in JSON are UTC.`

func (t tool) list() *cobra.Command {
	var wide bool
	var only []string
	cmd := t.command("list", "list the mailboxes, how they fare, and why", cobra.NoArgs,
		func(cmd *cobra.Command, o *config.Ops, f fleet, _ []string) error {
			list, err := f.Mailboxes(cmd.Context())
			if err != nil {
				return err
			}
			digests, err := f.States(cmd.Context(), addressesOf(list))
			if err != nil {
				return err
			}
			withOutage(cmd, f, list, digests)
			all := make([]row, len(list))
			for i, m := range list {
				d, known := digests[strings.ToLower(m.Address)]
				all[i] = rowOf(m, d, known, f.Now())
				all[i].token = o.MailboxToken(m.Address)
			}
			shown := slices.DeleteFunc(slices.Clone(all), func(r row) bool { return len(only) > 0 && !r.is(only) })
			return show(cmd, described(shown), table(shown, wide, f.Now().Local())+summaryOf(all, len(shown)))
		})
	cmd.Long = listHelp
	cmd.Flags().BoolVar(&wide, "wide", false, "show settings and tokens too")
	cmd.Flags().StringSliceVar(&only, "state", nil, "only those in these states, such as refused,late (refused: denied or blocked)")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(append(slices.Clone(states), stateRefused), cobra.ShellCompDirectiveNoFileComp))
	check := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		return errors.Join(checkStates(only), check(cmd, args))
	}
	return cmd
}

func checkStates(only []string) error {
	var errs []error
	for i, s := range only {
		only[i] = strings.ToLower(strings.TrimSpace(s))
		if known := append(slices.Clone(states), stateRefused); !slices.Contains(known, only[i]) {
			errs = append(errs, fmt.Errorf("--state %q: %w", s, config.Choice("must be", only[i], known)))
		}
	}
	return config.Usage(errors.Join(errs...))
}

// row is a mailbox as the list shows it.
type row struct {
	events.Mailbox
	token         string
	state, reason string
	since, next   time.Time // zero: none
	due           bool      // next has passed
}

func rowOf(m events.Mailbox, d jobs.Digest, known bool, now time.Time) row {
	r := row{Mailbox: m, state: stateOf(m, d, known)}
	if !m.Enabled || !known {
		return r
	}
	r.since, r.next, r.reason, r.due = d.Since, d.Due, d.Reason, !now.Before(d.Due)
	if by, late := d.Overdue(now); late {
		r.reason = strings.TrimSuffix(fmt.Sprintf("due %s ago, was %s: %s", round(by), r.state, r.reason), ": ")
		r.state, r.since = stateLate, d.Due
	}
	return r
}

// stateOf says in a word how a mailbox fares that is looked at in time.
func stateOf(m events.Mailbox, d jobs.Digest, known bool) string {
	switch {
	case !m.Enabled:
		return stateOff
	case !known, d.State == jobs.StateNew:
		return stateNew
	case d.Throttled && d.State == jobs.StateOK:
		return stateThrottled
	}
	return string(d.State)
}

// round drops what nobody wants to read of a time: "3h12m", "5m", "42s".
func round(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Minute:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

func (r row) is(only []string) bool {
	return slices.Contains(only, r.state) || r.refused() && slices.Contains(only, stateRefused)
}

func (r row) refused() bool {
	return r.state == string(jobs.StateDenied) || r.state == string(jobs.StateBlocked)
}

// described are the mailboxes for JSON: as they are stored, and how they fare.
func described(rows []row) []events.Mailbox {
	list := make([]events.Mailbox, len(rows)) // an empty list, not null
	for i, r := range rows {
		list[i] = r.Mailbox
		list[i].Extra = maps.Clone(r.Extra)
		if list[i].Extra == nil {
			list[i].Extra = events.Extra{}
		}
		for name, value := range map[string]string{"token": r.token, "state": r.state, "reason": r.reason, "since": stamp(r.since), "nextRun": stamp(r.next)} {
			if value != "" {
				list[i].Extra[name], _ = json.Marshal(value) // a string
			}
		}
	}
	return list
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// table shows mailboxes, with times of now's zone.
func table(rows []row, wide bool, now time.Time) string {
	name, offset := now.Zone()
	zone := time.FixedZone(name, offset) // also for times at which summer time was otherwise, so that the head is right
	head := []string{"ADDRESS", "STATE", "SINCE (" + name + ")", "REASON", "NEXT LOOK (" + name + ")"}
	if wide {
		head = append(head, "MODE", "WINDOW", "FIELDS", "URL", "TOKEN")
	}
	cells := [][]string{head}
	for _, r := range rows {
		line := []string{r.Address, r.state, clock(r.since, zone), or(r.reason, "-"), r.nextLook(zone)}
		if wide {
			line = append(line, r.Mode, window(r.Mailbox), fields(r.Fields), or(r.URL, "default"), r.token)
		}
		cells = append(cells, line)
	}
	return align(cells)
}

func clock(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(zone).Format(time.DateTime)
}

func (r row) nextLook(zone *time.Location) string {
	if r.due && r.state != stateLate {
		return "now"
	}
	return clock(r.next, zone)
}

// summaryOf counts the mailboxes by state; shown of them stand above.
func summaryOf(rows []row, shown int) string {
	counts := map[string]int{}
	for _, r := range rows {
		if r.refused() {
			counts[stateRefused]++
		} else {
			counts[r.state]++
		}
	}
	var parts []string
	for _, s := range append(slices.Clone(states), stateRefused) {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	text := fmt.Sprintf("%d mailboxes", len(rows))
	if len(rows) == 1 {
		text = "1 mailbox"
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if shown < len(rows) {
		text += fmt.Sprintf("; %d shown", shown)
	}
	return text + "\n"
}
