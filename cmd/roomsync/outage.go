package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/jobs"
)

// withOutage puts the state of mailboxes right that wait because no worker can sign in to Exchange, and says so to people.
func withOutage(cmd *cobra.Command, f fleet, list []events.Mailbox, states map[string]jobs.Digest) {
	x, err := f.GlanceOutage(cmd.Context())
	if err != nil {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "Whether the workers can sign in to Exchange is not known: %v\n", err)
		return
	}
	if !x.Open {
		return
	}
	for _, m := range list {
		d := states[strings.ToLower(m.Address)]
		switch d.State {
		case jobs.StateNew, jobs.StateOK, jobs.StateHeld: // the others need more than a sign-in
			d.State, d.Throttled, d.Reason, d.Since = jobs.StateNoSignIn, false, x.Cause.Reason, x.Since
			states[strings.ToLower(m.Address)] = d
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
