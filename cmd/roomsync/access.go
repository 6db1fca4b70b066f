package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/config"
	"roomsync/internal/daemon"
	"roomsync/internal/ops/accesscheck"
)

// accessCheck are the arguments of "access check".
type accessCheck struct {
	conf     config.Access
	csv      string
	canaries []string
	parallel int
	patience time.Duration
	all      bool
	json     bool
}

func (t tool) accessCheck() *cobra.Command {
	var a accessCheck
	cmd := &cobra.Command{
		Use: "check [ADDRESS...]", Short: "ask Exchange which mailboxes may be read, and why the others may not",
		Example: `  roomsync access check
  roomsync access check room7@contoso.com room8@contoso.com
  roomsync access check --csv rooms.csv --canary ceo@contoso.com --parallel 64
  roomsync access check --json | jq -r '.mailboxes[] | select(.finding) | [.address, .reason] | @tsv'`,
	}
	cmd.Long = `Ask Exchange which mailboxes may be read, and why the others may not.

Each mailbox's calendar is asked for once (GetFolder), as the worker would: give it the worker's flags or environment.
Without addresses and --csv, the wanted mailboxes are read from NATS; otherwise NATS is not needed. Nothing is changed.

It begins with one call, so that a wrong password is tried once: only a sign-in that all mailboxes share ends the check.
A mailbox that Exchange wants left alone is waited for, up to --patience. Ctrl-C prints what is known so far.

A --canary is a mailbox that must be refused: when it is not, the app may do more than it should.

` + config.EnvHelp
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return t.runAccessCheck(cmd, &a, args) }
	f := cmd.Flags()
	f.StringVar(&a.csv, "csv", "", `file of addresses, one a line or in a column "address" or "PrimarySmtpAddress" ("-": standard input)`)
	f.StringArrayVar(&a.canaries, "canary", nil, "a mailbox that must be refused; may be given several times")
	f.IntVar(&a.parallel, "parallel", 0, "mailboxes asked for at once; 32 by default, 10 for a delegate")
	f.DurationVar(&a.patience, "patience", 2*time.Minute, "how long to wait for a mailbox that Exchange wants left alone")
	f.BoolVar(&a.all, "all", false, "list the mailboxes that may be read too, not only those named on the command line")
	f.BoolVar(&a.json, "json", false, "print one JSON document")
	config.Attach(cmd, t.env, &a.conf)
	return cmd
}

func (t tool) runAccessCheck(cmd *cobra.Command, a *accessCheck, args []string) error {
	if a.parallel < 0 || a.parallel > 1024 {
		return config.Usage(errors.New("--parallel: must be from 1 to 1024"))
	}
	if len(args) > 0 && a.csv != "" {
		return config.Usage(errors.New("give addresses or --csv, not both"))
	}
	canaries, err := addresses(a.canaries)
	if err != nil {
		return err
	}
	list, err := t.toCheck(cmd, a, args)
	if err != nil {
		return err
	}
	asker, closeIt, err := daemon.Calendar(a.conf.Exchange, config.Work{Slots: max(a.parallel, 32), GetBatch: 10})
	if err != nil {
		return config.Usage(err)
	}
	defer closeIt()
	o := accesscheck.Options{
		Asker: asker, Identity: daemon.Identity(a.conf.Exchange), Server: a.conf.EWSURL, Parallel: a.parallel, Patience: a.patience,
	}
	bar := progressOn(cmd.ErrOrStderr())
	o.Progress = bar.tell
	r := accesscheck.Run(cmd.Context(), o, targets(list, canaries))
	bar.clear()
	if err := a.print(cmd.OutOrStdout(), r, len(args) > 0 || a.all); err != nil {
		return err
	}
	return verdict(cmd.Context(), r)
}

// toCheck lists the mailboxes: from the command line, from a file, or the wanted ones.
func (t tool) toCheck(cmd *cobra.Command, a *accessCheck, args []string) ([]events.Mailbox, error) {
	switch {
	case len(args) > 0:
		given, err := addresses(args)
		list := make([]events.Mailbox, len(given))
		for i, address := range given {
			list[i].Address = address
		}
		return list, err
	case a.csv != "":
		list, err := readAddresses(a.csv, cmd.InOrStdin())
		return list, config.Usage(err)
	}
	f, err := t.connect(cmd.Context(), cmd, &config.Ops{NATS: a.conf.NATS, Log: a.conf.Log})
	if err != nil {
		return nil, fmt.Errorf("%w\n(addresses, or --csv, need no NATS)", err)
	}
	defer f.Close()
	all, err := f.Mailboxes(cmd.Context())
	var list []events.Mailbox
	for _, m := range all {
		if m.Enabled {
			list = append(list, m)
		}
	}
	if err == nil && len(list) == 0 {
		err = config.Usage(errors.New("no mailboxes are wanted yet: name addresses, or import a list first"))
	}
	return list, err
}

// verdict makes the exit code: findings are an error, in a line that says how many.
func verdict(ctx context.Context, r accesscheck.Report) error {
	s := r.Summary
	switch {
	case ctx.Err() != nil && s.Unchecked > 0:
		return fmt.Errorf("interrupted: %d of %d mailboxes were not asked for", s.Unchecked, s.Total)
	case s.Unchecked > 0:
		return fmt.Errorf("stopped: %d of %d mailboxes were not asked for", s.Unchecked, s.Total)
	case s.Findings > 0:
		return errors.New(count(s.Findings, "finding"))
	}
	return nil
}

func (a *accessCheck) print(w io.Writer, r accesscheck.Report, granted bool) error {
	if a.json {
		return json.NewEncoder(w).Encode(r)
	}
	_, err := io.WriteString(w, accessText(r, granted))
	return err
}

// progress shows how far a check is, on one line of a terminal.
type progress struct {
	w     io.Writer // nil where it is no terminal
	last  time.Time
	width int
}

func progressOn(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok {
		return &progress{}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{w: w}
}

func (p *progress) tell(now accesscheck.Progress) {
	if p.w == nil || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last = time.Now()
	line := fmt.Sprintf("asked for %d of %d mailboxes, %d findings", now.Settled, now.Total, now.Findings)
	if now.Waiting > 0 {
		line += fmt.Sprintf(", %d left alone for a while", now.Waiting)
	}
	p.show(line)
}

// show overwrites what stands there.
func (p *progress) show(line string) {
	_, _ = fmt.Fprintf(p.w, "\r%s%s\r%s", line, strings.Repeat(" ", max(0, p.width-len(line))), line)
	p.width = len(line)
}

func (p *progress) clear() {
	if p.w != nil && p.width > 0 {
		p.show("")
	}
}
