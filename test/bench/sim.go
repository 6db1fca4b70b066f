package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"roomsync/internal/exchangesim"
	"roomsync/internal/exchangesim/store"
)

// simulator is the hidden command that serves the simulated Exchange in a process of its own.
func simulator() *cobra.Command {
	var o exchangesim.Options
	cmd := &cobra.Command{Use: "sim", Hidden: true, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return serve(o) }}
	cmd.Flags().IntVar(&o.Mailboxes, "mailboxes", 0, "")
	cmd.Flags().DurationVar(&o.Latency, "latency", 0, "")
	return cmd
}

// serve prints its address as the first line and ends with its standard input.
func serve(o exchangesim.Options) error {
	o.Items, o.BusyShare, o.MaxConcurrent = -1, exchangesim.NoBusyShare, 1<<20
	sim, err := exchangesim.New(o)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", sim.Handler())
	mux.HandleFunc("POST /bench/fill", func(w http.ResponseWriter, _ *http.Request) {
		if err := fill(sim.Company()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	go func() { _ = http.Serve(l, mux) }()
	fmt.Println("http://" + l.Addr().String())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

// changesPerJob is how many appointments a job of the scenario "changes" finds changed.
const changesPerJob = 50

// fill gives every mailbox new appointments, as a busy room has them.
func fill(c *store.Company) error {
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour)
	for _, m := range c.Mailboxes() {
		for i := range changesPerJob {
			at := start.Add(time.Duration(i) * 3 * time.Hour)
			_, err := m.Create(store.Actor{}, m.Calendar(), &store.Item{
				Subject: fmt.Sprintf("Planning %d", i), Location: "Room 7", Start: at, End: at.Add(time.Hour), FreeBusy: "Busy",
				StartZone: "W. Europe Standard Time", EndZone: "W. Europe Standard Time", Sensitivity: "Normal",
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// process is a running simulator.
type process struct {
	url  string
	cmd  *exec.Cmd
	stop func()
}

func startSimulator(ctx context.Context, mailboxes int, latency time.Duration) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "sim", "--mailboxes", fmt.Sprint(mailboxes), "--latency", latency.String())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stop: func() { _ = in.Close(); _ = cmd.Wait() }}
	line, err := bufio.NewReader(out).ReadString('\n')
	if p.url = strings.TrimSpace(line); err != nil || p.url == "" {
		p.stop()
		return nil, errors.Join(errors.New("the simulator did not start"), err)
	}
	return p, nil
}

// fill asks the process to fill the calendars.
func (p *process) fill() error {
	resp, err := http.Post(p.url+"/bench/fill", "", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fill: %s", resp.Status)
	}
	return nil
}
