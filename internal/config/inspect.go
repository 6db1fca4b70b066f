package config

import (
	"strings"

	"github.com/spf13/cobra"

	"roomsync/internal/tokens"
)

// Value is a setting in force.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"` // of a secret only "set"
	From  string `json:"from"`  // the flag, variable or line; "default"; or what it was found out from
}

// Inspection is a configuration taken apart: what is in force and where it comes from, what should be known of it, and
// what is wrong with it. It holds no secret, and nothing that tells of one.
type Inspection struct {
	Settings []Value   `json:"settings"`
	Findings []Finding `json:"findings"`
	Faults   Faults    `json:"faults"`
}

// AttachInspection gives cmd the flags of a configuration, as [Attach] does. The function that it returns fills the
// configuration, and is to be called once, when the command runs.
func AttachInspection(cmd *cobra.Command, env Env, to Section) func() Inspection {
	s := newSettings(cmd.Flags(), env)
	to.declare(s)
	explain(cmd, s)
	return func() Inspection {
		_ = s.finish(to) // the faults are s.faults
		i := Inspection{Settings: []Value{}, Findings: append(env.strange(), s.findings...), Faults: append(Faults{}, s.faults...)}
		if i.Findings == nil {
			i.Findings = []Finding{} // JSON: an empty list, not null
		}
		for _, v := range s.all {
			i.Settings = append(i.Settings, v.inForce())
		}
		return i
	}
}

func (v *setting) inForce() Value {
	x := Value{Name: v.name, Value: v.text, From: v.origin}
	if v.secret != nil {
		x.Name, x.Value, x.From = strings.TrimSuffix(v.name, "-file"), "", v.secret.from
		if v.secret.given() {
			x.Value = "set"
		}
	}
	switch {
	case v.faulty && v.origin == "":
		x.Value = "(missing)"
	case v.faulty:
		x.Value = "(faulty)"
	case v.absent && v.secret == nil:
		x.Value = "(no such file)"
	case v.why != "":
		x.From = v.why
	}
	if x.From == "" {
		x.From = "default"
	}
	return x
}

// source is what a configuration was read from, and what it came to.
type source struct {
	again func() (Worker, error)
	files []string
	state []state
}

// state is a setting at the time when the configuration was read.
type state struct {
	name string
	live bool          // a change of it can take effect in a running process
	from string        // "" for a default
	text tokens.Secret // kept from every way of printing, since any may be one
}

func (s *settings) source() source {
	src, args, env := source{}, []string{}, s.env
	if s.roomsFile != "" {
		src.files = append(src.files, s.roomsFile)
	}
	for _, v := range s.all {
		if v.origin == flagName(v.name) {
			args = append(args, v.origin+"="+v.text)
		}
		x := state{name: v.name, live: v.group == groupExchange || v.group == groupApp || v.group == groupUser, from: v.origin, text: tokens.NewSecret(v.text)}
		if v.secret != nil {
			x.text = tokens.Secret{}
			if v.secret.given() {
				x.text, _ = v.secret.read() // one that cannot be read is a fault already
			}
			if v.secret.file != "" {
				src.files = append(src.files, v.secret.file)
			}
		}
		src.state = append(src.state, x)
	}
	src.again = func() (Worker, error) {
		var again Worker
		err := Load(args, env, &again)
		return again, err
	}
	return src
}

// Files are the files that the configuration was read from and that may change: RoomsAppSettings.config and those of
// secrets. A certificate's folder and a federated token are read by who uses them.
func (w *Worker) Files() []string { return append([]string{}, w.source.files...) }

// Again reads the configuration anew: with the same flags and environment, and the files as they are now.
// One that was not read from anywhere stays as it is.
func (w *Worker) Again() (Worker, error) {
	if w.source.again == nil {
		return *w, nil
	}
	return w.source.again()
}

// Changes names what differs in a configuration that was read later: what a running process can take up, which is how
// to sign in to Exchange, and what needs a restart. It names settings and where they come from now, never values.
func (w *Worker) Changes(later *Worker) (live, restart []string) {
	for i, x := range later.source.state {
		if i < len(w.source.state) && w.source.state[i].text.Equal(x.text) {
			continue
		}
		name := strings.TrimSuffix(x.name, "-file")
		if x.from != "" {
			name += " (" + x.from + ")"
		}
		if x.live {
			live = append(live, name)
		} else {
			restart = append(restart, name)
		}
	}
	return live, restart
}
