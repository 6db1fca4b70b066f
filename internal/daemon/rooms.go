package daemon

import (
	"context"
	"net"
	"net/url"
	"sync"

	"github.com/rs/zerolog"

	"roomsync/internal/bus"
	"roomsync/internal/config"
	"roomsync/internal/roomsapi"
)

// forROOMS makes what serves a ROOMS that does not speak NATS.
func forROOMS(c config.Dispatcher, b *bus.Bus, name string, log zerolog.Logger) (*roomsapi.API, error) {
	o := roomsapi.Options{Bus: b, Log: log, Name: name, MailboxToken: c.MailboxToken}
	if c.APIOn() {
		o.Tokens = func() ([]roomsapi.Token, error) {
			all, err := c.APITokens()
			given := make([]roomsapi.Token, len(all))
			for i, t := range all {
				given[i] = roomsapi.Token(t)
			}
			return given, err
		}
		log.Info().Str("http", c.HTTP).Msg("the HTTP API is on")
		if !loopback(c.HTTP) {
			log.Warn().Str("http", c.HTTP).Msg("the HTTP API is served without TLS on an address that other hosts reach: put a proxy with TLS in front, or its tokens can be read on the way")
		}
	}
	if c.WebhookURL != "" {
		o.Webhook = &roomsapi.WebhookOptions{URL: c.WebhookURL, Secrets: c.WebhookSecrets}
		if u, err := url.Parse(c.WebhookURL); err == nil {
			log.Info().Str("host", u.Host).Msg("events are posted to a webhook") // its path may be a secret
		}
	}
	return roomsapi.New(o)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// beside runs work, and with it something that ends when work does.
func beside(work func(context.Context) error, with func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		var other sync.WaitGroup
		other.Go(func() { with(ctx) })
		defer other.Wait()
		defer stop()
		return work(ctx)
	}
}
