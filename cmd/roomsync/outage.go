package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// withOutage puts the state of mailboxes right that wait because no worker can sign in to Exchange, adds the reason to the
// list, and says so to people.
func withOutage(cmd *cobra.Command, f fleet, list []events.Mailbox, states map[string]jobs.Digest) {
	x, err := f.GlanceOutage(cmd.Context())
	if err != nil {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "Whether the workers can sign in to Exchange is not known: %v\n", err)
		return
	}
	if !x.Open {
		return
	}
	reason, _ := json.Marshal(x.Cause.Reason) // a string
	since, _ := json.Marshal(x.Since)
	for _, m := range list {
		d := states[strings.ToLower(m.Address)]
		switch d.State {
		case jobs.StateNew, jobs.StateOK, jobs.StateHeld: // the others need more than a sign-in
			d.State, d.Throttled = jobs.StateNoSignIn, false
			states[strings.ToLower(m.Address)] = d
			if m.Enabled {
				m.Extra["reason"], m.Extra["since"] = reason, since
			}
		}
	}
	_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "No worker can sign in to Exchange since %s (%s), and every mailbox waits: %s\n",
		x.Since.UTC().Format(time.DateTime+" UTC"), reasonOf(x.Cause), sentence(x.Cause))
}

func reasonOf(c jobs.Cause) string {
	if c.AADSTS == 0 {
		return c.Reason
	}
	return fmt.Sprintf("%s, AADSTS%d", c.Reason, c.AADSTS)
}

func sentence(c jobs.Cause) string {
	if c.Advice == "" {
		return c.Problem
	}
	return c.Advice
}
