package main

import (
	"errors"
	"fmt"

	"roomsync/events"
	"roomsync/internal/config"
)

// allowed reports every mailbox whose own URL names a host that workers send nothing to, as far as that is known here.
func allowed(h config.Hosts, list []events.Mailbox) error {
	var errs []error
	for _, m := range list {
		if err := h.Check(m.URL); err != nil {
			errs = append(errs, fmt.Errorf("%s: url: %w", m.Address, err))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return config.Usage(fmt.Errorf("nothing was imported:\n%w", errors.Join(errs...)))
}
