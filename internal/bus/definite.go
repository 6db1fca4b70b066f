package bus

import (
	"errors"

	"github.com/nats-io/nats.go/jetstream"
)

// Definite reports whether an error of a write says for certain that nothing was stored: the server refused it, or it
// was never sent. Of any other error the outcome is unknown.
func Definite(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) || errors.Is(err, ErrTooLarge)
}
