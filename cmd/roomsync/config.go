package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
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
and what is wrong with it or should be known. Nothing is sent, unless with --online.

With --online the sign-in is tried: an access token, and with --mailbox that mailbox's calendar.

Exit codes: 0 all is well (notes are for your information), 1 warnings, or the sign-in does not work, 2 faults: a worker
would not start.`
	cmd.Example = `  roomsync config check --rooms-config RoomsAppSettings.config
  roomsync config check --rooms-config RoomsAppSettings.config --online --mailbox room7@contoso.com
  roomsync config check --json | jq '.settings[] | select(.from != "default")'`
	cmd.Flags().Bool("json", false, "print JSON")
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
	mailbox string
}

// checked is everything that came out.
type checked struct {
	config.Inspection
	Online *daemon.Report `json:"online,omitempty"`
}

func (c *configCheck) run(cmd *cobra.Command) error {
	if err := c.arguments(); err != nil {
		return config.Usage(err)
	}
	out := checked{Inspection: c.inspect()}
	if len(out.Faults) == 0 {
		if err := c.try(cmd.Context(), &out); err != nil {
			out.Faults = config.Faults{{Key: "--auth " + c.worker.Auth, Problem: err.Error()}}
		}
	}
	if err := show(cmd, out, out.text()); err != nil {
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

// verdict is the error that gives the command its exit code.
func (c checked) verdict() error {
	warnings := 0
	for _, f := range c.Findings {
		if f.Level == config.LevelWarning {
			warnings++
		}
	}
	switch {
	case len(c.Faults) > 0:
		return config.Usage(fmt.Errorf("%s: a worker would not start", count(len(c.Faults), "fault")))
	case c.Online != nil && !c.Online.OK():
		return errors.New("the sign-in does not work")
	case warnings > 0:
		return errors.New(count(warnings, "warning"))
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (c checked) text() string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, v := range c.Settings {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, or(v.Value, "-"), v.From)
	}
	_ = w.Flush() // into a buffer
	for _, f := range c.Faults {
		b.WriteString("\n" + hanging("FAULT", f.Key+": "+f.Problem))
	}
	for _, f := range c.Findings {
		b.WriteString("\n" + hanging(f.Level, f.About+": "+f.Problem))
	}
	if c.Online != nil {
		b.WriteString("\n" + steps(*c.Online))
	}
	return b.String()
}

// hanging is text beside a word, in lines of a width that can be read.
func hanging(word, text string) string {
	const indent, width = 9, 110
	var b strings.Builder
	column := indent
	fmt.Fprintf(&b, "%-*s", indent-1, word)
	for field := range strings.FieldsSeq(text) {
		if column+1+len(field) > width && column > indent {
			b.WriteString("\n" + strings.Repeat(" ", indent-1))
			column = indent
		}
		b.WriteString(" " + field)
		column += 1 + len(field)
	}
	return b.String() + "\n"
}

// steps are the lines of a report.
func steps(r daemon.Report) string {
	var b strings.Builder
	for _, s := range r.Steps {
		mark := "ok"
		if !s.OK {
			mark = "FAILED"
		}
		text := s.Name + ": " + s.Said
		if s.Took > 0 {
			text += fmt.Sprintf(" (%v)", s.Took.Round(time.Millisecond))
		}
		b.WriteString(hanging(mark, text))
		if s.Do != "" {
			b.WriteString(hanging("", s.Do))
		}
	}
	return b.String()
}
