package integration

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/rs/zerolog"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"roomsync/events"
	"roomsync/internal/bus"
	"roomsync/internal/exchangesim"
)

// cluster is the system in containers on a network of their own: NATS, the simulated Exchange and a dispatcher. Each test
// has one and adds workers.
type cluster struct {
	*images
	net        *testcontainers.DockerNetwork
	nats       *testcontainers.DockerContainer
	exchange   *testcontainers.DockerContainer
	dispatcher *testcontainers.DockerContainer
	ca         []byte // the simulator's certificate, PEM
	sim        *simAPI
	addresses  []string // of the mailboxes

	bus     *bus.Bus
	witness *witness
	forget  func() // ends the witness' reading and closes bus
}

const exchangeHost = "exchange" // in the network

func startCluster(t *testing.T, im *images) *cluster {
	t.Helper()
	c := &cluster{images: im}
	var err error
	c.net, err = network.New(t.Context())
	must(t, err)
	testcontainers.CleanupNetwork(t, c.net)
	c.startNATS(t)
	c.startExchange(t)
	c.dispatcher = c.run(t, "dispatcher", c.joined("dispatcher"), ready("8080/tcp"),
		testcontainers.WithEnv(map[string]string{"ROOMSYNC_NATS_URL": "nats://nats:4222"}))
	c.connect(t)
	t.Cleanup(func() { c.forget() })
	c.want(t)
	return c
}

// joined puts a container into the network under a name.
func (c *cluster) joined(name string) testcontainers.CustomizeRequestOption {
	return network.WithNetwork([]string{name}, c.net)
}

// ready waits until a daemon says that it is.
func ready(port string) testcontainers.CustomizeRequestOption {
	return testcontainers.WithWaitStrategy(wait.ForHTTP("/readyz").WithPort(port))
}

// startNATS starts the server with its data in a volume, which it may write because it is root, though without
// capabilities.
func (c *cluster) startNATS(t *testing.T) {
	t.Helper()
	c.nats = c.run(t, "nats-server", c.joined("nats"), testcontainers.WithCmd("-js", "-sd", "/data", "-m", "8222"),
		testcontainers.WithConfigModifier(func(cfg *container.Config) {
			cfg.User = "0:0"
			cfg.Volumes = map[string]struct{}{"/data": {}}
		}),
		testcontainers.WithExposedPorts("4222/tcp", "8222/tcp"),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/healthz").WithPort("8222/tcp")))
}

// startExchange starts the simulator with empty calendars. Its latency makes it likely that a worker that is killed is
// in the middle of something.
func (c *cluster) startExchange(t *testing.T) {
	t.Helper()
	c.exchange = c.run(t, "exchangesim", c.joined(exchangeHost),
		testcontainers.WithCmd("--listen", "0.0.0.0:8445", "--tls", "--tls-host", exchangeHost, "--mailboxes", "20",
			"--items-per-mailbox", "0", "--busy-share", "0", "--latency", "20ms"),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/").WithPort("8445/tcp").WithTLS(true).WithAllowInsecure(true)))
	address, err := c.exchange.PortEndpoint(t.Context(), "8445/tcp", "")
	must(t, err)
	c.ca = certificateOf(t, address)
	c.sim = newSimAPI(t, address, c.ca)
	c.addresses, err = c.sim.mailboxes()
	must(t, err)
	if len(c.addresses) != 20 {
		t.Fatalf("the simulator has mailboxes %q", c.addresses)
	}
}

// certificateOf is the self-signed certificate that a server shows, for its clients to trust.
func certificateOf(t *testing.T, address string) []byte {
	t.Helper()
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(t.Context(), "tcp", address)
	must(t, err)
	defer func() { _ = conn.Close() }()
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
}

// worker starts a worker that trusts the simulator's certificate because it lies among the CAs.
func (c *cluster) worker(t *testing.T) *testcontainers.DockerContainer {
	t.Helper()
	base := "https://" + exchangeHost + ":8445"
	return c.run(t, "worker", c.joined("worker"), c.trusting(c.ca), ready("8081/tcp"), testcontainers.WithEnv(map[string]string{
		"ROOMSYNC_NATS_URL": "nats://nats:4222", "ROOMSYNC_POLL_INTERVAL": "250ms",
		"ROOMSYNC_EWS_URL": base + exchangesim.EWSPath, "ROOMSYNC_AUTHORITY_URL": base,
		"ROOMSYNC_TENANT_ID": "sim-tenant", "ROOMSYNC_APP_ID": "sim-app", "ROOMSYNC_CLIENT_SECRET": "sim-secret",
	}))
}

// connect reaches NATS through the port that Docker gave it, and has a new witness read the events from the first one
// on. What the witness before found wrong is reported.
func (c *cluster) connect(t *testing.T) {
	t.Helper()
	if c.forget != nil {
		c.forget()
		c.witness.verdict(t)
	}
	url, err := c.nats.PortEndpoint(t.Context(), "4222/tcp", "nats")
	must(t, err)
	b, err := bus.Connect(t.Context(), bus.Options{URL: url, Name: "test", Log: zerolog.Nop()})
	must(t, err)
	must(t, b.WaitReady(t.Context(), 10*time.Second))
	w := newWitness(c.sim)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- b.Events(ctx, "*", 1, func(d bus.Delivered) error {
			w.take(d)
			return nil
		})
	}()
	c.bus, c.witness = b, w
	c.forget = func() {
		stop()
		w.ended(<-done)
		b.Close()
		c.forget = func() {}
	}
}

// want puts every mailbox into the wanted set.
func (c *cluster) want(t *testing.T) {
	t.Helper()
	for _, address := range c.addresses {
		entry := events.Mailbox{Address: address, Mode: events.ModeO365Pull, Enabled: true}
		_, err := c.bus.PutMailbox(t.Context(), events.MailboxToken(address), entry)
		must(t, err)
	}
}

// settled waits until ROOMS knows of everything, and fails if it was told anything wrong.
func (c *cluster) settled(t *testing.T) {
	t.Helper()
	eventually(t, patience, c.witness.settled)
	c.witness.verdict(t)
}

// signal sends a signal to a container and waits for its end. It returns the exit code.
func (c *cluster) signal(t *testing.T, target *testcontainers.DockerContainer, signal string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // as long as docker stop waits
	defer cancel()
	_, err := c.docker.Client().ContainerKill(ctx, target.GetContainerID(), client.ContainerKillOptions{Signal: signal})
	must(t, err)
	ended := c.docker.Client().ContainerWait(ctx, target.GetContainerID(), client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case end := <-ended.Result:
		return int(end.StatusCode)
	case err := <-ended.Error:
		t.Fatalf("%s did not end the container within 10 s: %v", signal, err)
	}
	return -1
}

// alive fails for containers that do not run any more.
func alive(t *testing.T, containers ...*testcontainers.DockerContainer) {
	t.Helper()
	for _, c := range containers {
		state, err := c.State(t.Context())
		must(t, err)
		if !state.Running {
			t.Errorf("container %.12s is %s with exit code %d", c.GetContainerID(), state.Status, state.ExitCode)
		}
	}
}

// uid is the user that a container's only process runs as, in the host's eyes.
func (c *cluster) uid(t *testing.T, target *testcontainers.DockerContainer) string {
	t.Helper()
	top, err := c.docker.Client().ContainerTop(t.Context(), target.GetContainerID(), client.ContainerTopOptions{Arguments: []string{"-eo", "pid,uid"}})
	must(t, err)
	at := slices.Index(top.Titles, "UID")
	if at < 0 || len(top.Processes) != 1 {
		t.Fatalf("processes %v of %v", top.Processes, top.Titles)
	}
	return top.Processes[0][at]
}
