// Package traffic keeps the calendars of a simulated Exchange changing, as their owners would: appointments are made,
// edited, moved and cancelled, series and single occurrences changed. The same seed on the same company makes the same
// edits in the same order.
package traffic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"roomsync/internal/exchangesim/store"
)

// Kind of an edit.
type Kind string

// What people do to their calendars.
const (
	Create           Kind = "create"
	EditItem         Kind = "edit"   // subject, body or place
	Move             Kind = "move"   // another time
	Cancel           Kind = "cancel" // into the deleted items
	EditSeries       Kind = "edit-series"
	EditOccurrence   Kind = "edit-occurrence"
	CancelOccurrence Kind = "cancel-occurrence"
)

// Edit is one change that was made.
type Edit struct {
	N         int    `json:"n"` // counts the edits of a generator, from 1
	Kind      Kind   `json:"kind"`
	Mailbox   string `json:"mailbox"`
	ItemID    string `json:"itemId"` // of a series' master where an occurrence was changed
	UID       string `json:"uid"`
	Subject   string `json:"subject"` // afterwards
	ChangeKey string `json:"changeKey,omitempty"`
	// OriginalDate names the occurrence that was changed, yyyy-mm-dd.
	OriginalDate string `json:"originalDate,omitempty"`
}

// Options sets a Generator up.
type Options struct {
	Seed uint64
	Rate float64 // edits per second, for Run
	// Mailboxes restricts the edits to these addresses; all when empty.
	Mailboxes []string
	// SpareBookings leaves items alone that carry the product's own extended property of this name.
	SpareBookings string
	// OnEdit is called after each edit.
	OnEdit func(Edit)
}

// Generator makes edits. It is not safe for concurrent use; what it works on is.
type Generator struct {
	company *store.Company
	opts    Options
	boxes   []*store.Mailbox
	r       *rand.Rand
	n       int
}

// New makes a generator for the mailboxes that the company has now. It fails when there are none.
func New(company *store.Company, opts Options) (*Generator, error) {
	g := &Generator{company: company, opts: opts, r: rand.New(rand.NewPCG(opts.Seed, 0x7261666669636b))}
	if len(opts.Mailboxes) == 0 {
		g.boxes = company.Mailboxes()
	}
	for _, address := range opts.Mailboxes {
		m := company.Mailbox(address)
		if m == nil {
			return nil, fmt.Errorf("traffic: no mailbox %s", address)
		}
		g.boxes = append(g.boxes, m)
	}
	if len(g.boxes) == 0 {
		return nil, errors.New("traffic: the company has no mailboxes: seed it first")
	}
	return g, nil
}

// Run makes edits at the given rate until the context ends, and returns nil then. It returns the first edit's error
// that shows a broken company.
func (g *Generator) Run(ctx context.Context) error {
	if g.opts.Rate <= 0 {
		<-ctx.Done()
		return nil
	}
	began, done := time.Now(), 0
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		due := int(time.Since(began).Seconds()*g.opts.Rate) - done
		if _, err := g.Do(due); err != nil {
			return err
		}
		done += due
		next := began.Add(time.Duration(float64(done+1) / g.opts.Rate * float64(time.Second)))
		tick.Reset(max(time.Until(next), time.Millisecond))
	}
}

// Do makes exactly n edits and lists them.
func (g *Generator) Do(n int) ([]Edit, error) {
	edits := make([]Edit, 0, max(n, 0))
	for range n {
		e, err := g.step()
		if err != nil {
			return edits, err
		}
		edits = append(edits, e)
		if g.opts.OnEdit != nil {
			g.opts.OnEdit(e)
		}
	}
	return edits, nil
}
