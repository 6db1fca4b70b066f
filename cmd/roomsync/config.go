package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"roomsync/internal/config"
	"roomsync/internal/daemon"
)

func (t tool) config() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "what a worker is told"}
	cmd.AddCommand(t.configCheck())
	return cmd
}

func (t tool) configCheck() *cobra.Command {
	var c configCheck
	cmd := &cobra.Command{Use: "check", Short: "show what is in force for a worker and where it comes from, and try the sign-in", Args: config.NoArgs}
	cmd.Long = `Show what is in force for a worker that is given the same flags, variables and files, where each setting comes from,
and what is wrong with it or should be known, the worst first. Nothing is sent, unless with --online.

With --online the sign-in is tried: an access token, and with --mailbox that mailbox's calendar.

Exit codes:
  0  all is well; notes are for your information
  1  findings: a warning, or something that was tried and failed
  2  faults, with which a worker would not start; or the call is wrong, or a file cannot be read`
	cmd.Example = `  roomsync config check --rooms-config RoomsAppSettings.config
  roomsync config check --rooms-config RoomsAppSettings.config --online --mailbox room7@contoso.com
  roomsync config check --json | jq '.settings[] | select(.from != "default")'`
	cmd.Flags().Bool("json", false, "print JSON")
	cmd.Flags().BoolVar(&c.verbose, "verbose", false, "show the settings that have their defaults, too")
	cmd.Flags().BoolVar(&c.online, "online", false, "sign in, which asks Entra for a token")
	cmd.Flags().StringVar(&c.mailbox, "mailbox", "", "with --online, read this mailbox's calendar folder")
	c.inspect = config.AttachInspection(cmd, t.env, &c.worker)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.run(cmd) }
	return cmd
}

// configCheck is one run of the command.
type configCheck struct {
	worker  config.Worker
	inspect func() config.Inspection
	online  bool
	verbose bool
	mailbox string
}

// checked is everything that came out.
type checked struct {
	config.Inspection
	Certificate *certificate   `json:"certificate,omitempty"` // that the app signs in with
	Online      *daemon.Report `json:"online,omitempty"`

	mailbox string // that was tried
}

// certificate is how long one can be used.
type certificate struct {
	NotAfter time.Time `json:"notAfter"`
	DaysLeft int       `json:"daysLeft"`
}

// soon is how many days before its end a certificate is warned of.
const soon = 30

func (c *configCheck) run(cmd *cobra.Command) error {
	if err := c.arguments(); err != nil {
		return config.Usage(err)
	}
	out := checked{Inspection: c.inspect(), mailbox: c.mailbox}
	if len(out.Faults) == 0 {
		if err := c.try(cmd.Context(), &out); err != nil {
			out.Faults = config.Faults{{Key: "--auth " + c.worker.Auth, Problem: err.Error()}}
		}
	}
	if err := show(cmd, out, out.text(c.verbose)); err != nil {
		return err
	}
	return out.verdict()
}

func (c *configCheck) arguments() (err error) {
	if c.mailbox == "" {
		return nil
	}
	if !c.online {
		return errors.New("--mailbox is for --online: without it nothing is sent")
	}
	if c.mailbox, err = config.ParseAddress(c.mailbox); err != nil {
		return fmt.Errorf("--mailbox: %w", err)
	}
	return nil
}

// try makes the client, which finds out whether a certificate is there, and signs in if that is wanted.
func (c *configCheck) try(ctx context.Context, out *checked) error {
	end, err := daemon.CertificateEnd(c.worker.Exchange)
	if err != nil {
		return err
	}
	if !end.IsZero() {
		out.expires(end, time.Now())
	}
	if c.online {
		r, err := daemon.CheckSignIn(ctx, c.worker.Exchange, c.mailbox)
		if err == nil {
			out.Online = &r
		}
		return err
	}
	_, closeIt, err := daemon.Calendar(c.worker.Exchange, c.worker.Work)
	if err == nil {
		closeIt()
	}
	return err
}

// expires notes when the certificate does.
func (c *checked) expires(end, now time.Time) {
	x := certificate{end.UTC(), int(end.Sub(now) / (24 * time.Hour))}
	c.Certificate = &x
	if x.DaysLeft < soon {
		c.Findings = append(c.Findings, config.Finding{
			Level: config.LevelWarning, About: "certificate",
			Problem: fmt.Sprintf("expires on %s, %s: register a new one in Entra in time, and put it beside the old one", x.NotAfter.Format(time.DateOnly), in(x.DaysLeft)),
		})
	}
}

func in(days int) string {
	if days < 1 {
		return "within a day"
	}
	return "in " + count(days, "day")
}

// verdict is the error that gives the command its exit code.
func (c checked) verdict() error {
	warnings := 0
	for _, f := range c.Findings {
		if f.Level == config.LevelWarning {
			warnings++
		}
	}
	fault := ""
	if c.Online != nil {
		fault = c.Online.Fault()
	}
	switch {
	case len(c.Faults) > 0:
		return config.Usage(fmt.Errorf("%s: a worker would not start", count(len(c.Faults), "fault")))
	case fault == daemon.FaultMailbox:
		return fmt.Errorf("the sign-in works, but the calendar of %s cannot be read", c.mailbox)
	case fault == daemon.FaultServer:
		return errors.New("it is not known whether the sign-in works, as Exchange could not be asked")
	case fault != "":
		return errors.New("the sign-in does not work")
	case warnings > 0:
		return errors.New(count(warnings, "warning"))
	}
	return nil
}
