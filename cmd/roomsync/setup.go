package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"roomsync/events"
	"roomsync/internal/config"
	"roomsync/internal/ops/setup"
)

// setupCommand is "roomsync setup powershell".
type setupCommand struct {
	tool
	cfg   config.Setup
	input setup.Input

	right         string // Microsoft's word for the kind of an application access policy
	csv, out      string
	wanted, undo  bool
	force, asJSON bool
}

func (t tool) setup() *cobra.Command {
	parent := &cobra.Command{Use: "setup", Short: "prepare Exchange and Entra"}
	c := &setupCommand{tool: t}
	cmd := &cobra.Command{
		Use:   "powershell [TOPIC…] [ADDRESS…]",
		Short: "print the scripts by which an administrator lets roomsync in",
		Args:  cobra.ArbitraryArgs, ValidArgsFunction: topicsBegun,
		RunE: c.run,
	}
	cmd.Long = `Print PowerShell scripts that are filled in from the configuration, to be reviewed and run by an administrator.

Without a topic it lists them, and which of them go with the configuration; "all" stands for those that do. A script
changes nothing unless it is run with -Apply: first it says what it would do. It can be run again at any time.

The values come from the flags and variables of a worker; secrets are not needed. Mailboxes are named as arguments, or
come from a CSV file as for "mailboxes import", or from the list of mailboxes in NATS.`
	cmd.Example = `  # what there is, and what of it goes with ROOMS' own settings
  roomsync setup powershell --rooms-config RoomsAppSettings.config
  roomsync setup powershell check room7@contoso.com --rooms-config RoomsAppSettings.config
  roomsync setup powershell rbac --rooms-config RoomsAppSettings.config --csv mailboxes.csv --service-principal-id 1f9c… --out rbac.ps1
  roomsync setup powershell all --rooms-config RoomsAppSettings.config --wanted --out scripts
  # the same by flags
  roomsync setup powershell delegate --tenant-id 6e91… --username svc@contoso.com --impersonation=false --wanted --out delegate.ps1
  roomsync setup powershell allow-list --tenant-id 6e91… --app-id 0774… --undo`
	c.flags(cmd)
	config.Attach(cmd, t.env, &c.cfg)
	parent.AddCommand(cmd)
	return parent
}

func (c *setupCommand) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.csv, "csv", "", `mailboxes from a CSV file as for "mailboxes import"; "-" is standard input`)
	f.BoolVar(&c.wanted, "wanted", false, "mailboxes from the list in NATS")
	f.StringVar(&c.input.Group, "group", "SyncIsAllowed", "mail-enabled security group for the mailboxes; one that exists can be used")
	f.StringVar(&c.right, "access-right", restrict, "access-policy: RestrictAccess (only the group's mailboxes) or DenyAccess (all others)")
	f.StringVar(&c.input.AppName, "app-name", "roomsync", "name of the app registration")
	f.StringVar(&c.input.ServicePrincipalID, "service-principal-id", "", "rbac: Object ID of the enterprise application")
	f.BoolVar(&c.undo, "undo", false, "the scripts that take it back")
	f.StringVar(&c.out, "out", "", "write into this file, or with several topics into this folder, as Windows PowerShell reads it best")
	f.BoolVar(&c.force, "force", false, "overwrite files")
	f.BoolVar(&c.asJSON, "json", false, "print JSON")
}

const (
	restrict = "RestrictAccess"
	deny     = "DenyAccess"
)

func (c *setupCommand) run(cmd *cobra.Command, args []string) error {
	topics, addresses := splitArgs(args)
	c.fromConfig()
	if len(topics) == 0 {
		if len(addresses) > 0 {
			return config.Usage(errors.New("name a topic for these mailboxes, such as check"))
		}
		return c.overview(cmd)
	}
	if err := c.checkFlags(cmd); err != nil {
		return config.Usage(err)
	}
	if err := c.mailboxes(cmd, addresses); err != nil {
		return err
	}
	list, err := c.scripts(topics)
	if err != nil {
		return config.Usage(err)
	}
	return c.deliver(cmd, list)
}

// splitArgs tells mailboxes from topics by the @.
func splitArgs(args []string) (topics, addresses []string) {
	for _, a := range args {
		if strings.Contains(a, "@") {
			addresses = append(addresses, a)
		} else {
			topics = append(topics, a)
		}
	}
	return topics, addresses
}

func (c *setupCommand) fromConfig() {
	in := &c.input
	in.Online = c.cfg.Online
	in.SignIn, in.Impersonation = c.cfg.Auth, c.cfg.Impersonation
	in.TenantID, in.AppID = c.cfg.TenantID, c.cfg.AppID
	in.ServiceUser, in.Thumbprint = c.cfg.Username, c.cfg.CertThumbprint
	in.Deny = c.right == deny
}

func (c *setupCommand) checkFlags(cmd *cobra.Command) error {
	switch {
	case c.right != restrict && c.right != deny:
		return fmt.Errorf("--access-right %q: must be %s or %s", c.right, restrict, deny)
	case c.right == deny && !cmd.Flags().Changed("group"):
		return fmt.Errorf("--group: missing: with --access-right %s name the group of the mailboxes that the app must not reach", deny)
	case c.right == deny && c.wanted:
		return fmt.Errorf("--wanted: are the mailboxes that the app must reach; with --access-right %s name those that it must not", deny)
	case c.asJSON && c.out != "":
		return errors.New("--json and --out exclude each other")
	}
	return nil
}

// mailboxes collects the mailboxes from everywhere; disabled ones are left out, since nothing should be opened for them.
func (c *setupCommand) mailboxes(cmd *cobra.Command, args []string) error {
	given, err := addresses(args)
	if err != nil {
		return err
	}
	for _, a := range given {
		c.input.Mailboxes = append(c.input.Mailboxes, setup.Mailbox{Address: a})
	}
	var list []events.Mailbox
	if c.csv != "" {
		if list, err = readCSV(c.csv, cmd.InOrStdin()); err != nil {
			return config.Usage(err)
		}
	}
	if c.wanted {
		wanted, err := c.fromNATS(cmd.Context(), cmd)
		if err != nil {
			return err
		}
		list = append(list, wanted...)
	}
	off := 0
	for _, m := range list {
		if !m.Enabled {
			off++
			continue
		}
		c.input.Mailboxes = append(c.input.Mailboxes, setup.Mailbox{Address: strings.ToLower(m.Address), Mode: m.Mode})
	}
	if off > 0 {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%d mailboxes that are not enabled are left out\n", off)
	}
	return nil
}

func (c *setupCommand) fromNATS(ctx context.Context, cmd *cobra.Command) ([]events.Mailbox, error) {
	f, err := c.connect(ctx, cmd, &c.cfg.Ops)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Mailboxes(ctx)
}

// filled is a script that is ready.
type filled struct {
	Topic  string `json:"topic"`
	Undo   bool   `json:"undo"`
	File   string `json:"file"`
	Script string `json:"script"`
}

// scripts fills in every topic; all that is missing for any of them is said at once.
func (c *setupCommand) scripts(topics []string) ([]filled, error) {
	if slices.Contains(topics, "all") {
		topics = c.fitting()
	}
	var list []filled
	faults := map[string]bool{}
	var errs []error
	for _, topic := range topics {
		text, err := c.input.Script(topic, c.undo)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !faults[line] {
					errs = append(errs, errors.New(line))
				}
				faults[line] = true
			}
		}
		list = append(list, filled{topic, c.undo, setup.FileName(topic, c.undo), text})
	}
	return list, errors.Join(errs...)
}

// fitting are the topics behind "all": those that go with the configuration, and of two ways the newer one. What is
// taken back is taken back in the opposite order.
func (c *setupCommand) fitting() []string {
	var list []string
	for _, t := range setup.Topics() {
		if t.Unfit(c.input) == "" && t.Instead() == "" && (t.Undo || !c.undo) {
			list = append(list, t.Name)
		}
	}
	if c.undo {
		slices.Reverse(list)
	}
	return list
}

func (c *setupCommand) overview(cmd *cobra.Command) error {
	type row struct {
		setup.Topic
		Fits bool   `json:"fits"`
		Why  string `json:"why,omitempty"`
	}
	var rows []row
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "TOPIC\tWHAT IT DOES\tFITS")
	for _, t := range setup.Topics() {
		why, fits := t.Unfit(c.input), "yes"
		if why != "" {
			fits = "no: " + why
		} else if t.Instead() != "" {
			fits = "instead of " + t.Instead()
		}
		rows = append(rows, row{t, why == "", why})
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, t.Title, fits)
	}
	_ = w.Flush() // into a buffer
	b.WriteString("\nroomsync setup powershell TOPIC prints the script, with --undo the one that takes it back; --help has examples.\n")
	if c.asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(rows)
	}
	_, err := b.WriteTo(cmd.OutOrStdout())
	return err
}
