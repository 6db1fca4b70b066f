package calsync

import "context"

// Call accompanies the requests made on behalf of one run of a mailbox.
type Call struct {
	// Guard is asked right before every request and every repetition of one; an error stops the request from being
	// sent and is returned as it is. It is how a worker that has lost its lease writes nothing more.
	Guard func(operation string) error
	// Fence names the owner, "<mailbox token>/<fence number>". A Reader may send it along for diagnosis.
	Fence string
}

type callKey struct{}

// WithCall returns a context whose requests are accompanied by c.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallOf returns the Call of a context; its zero value when there is none. Guard is never nil.
func CallOf(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	if c.Guard == nil {
		c.Guard = func(string) error { return nil }
	}
	return c
}
