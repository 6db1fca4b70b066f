package integration

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// TestContainers runs the system as its images: the same binaries that a release ships, each in a container of its own
// with a read-only root file system and without capabilities, over TLS, and without anything pulled from a registry.
func TestContainers(t *testing.T) {
	im := buildImages(t, needDocker(t))
	t.Run("Images", func(t *testing.T) {
		for _, binary := range []string{"worker", "dispatcher", "roomsync", "exchangesim"} {
			t.Run(binary, func(t *testing.T) { checkImage(t, im, binary) })
		}
	})
	c := startCluster(t, im)
	t.Run("EditBecomesExactlyOneEvent", c.editBecomesExactlyOneEvent)
	t.Run("OperatorsCommand", c.operatorsCommand)
	t.Run("WorkerKilled", c.workerKilled)
	t.Run("NATSRestarted", c.natsRestarted)
	t.Run("TerminatedInTime", c.terminatedInTime)
}

// checkImage looks at what an image says and holds: the binary, the CA bundle, and nothing else.
func checkImage(t *testing.T, im *images, binary string) {
	image, err := im.docker.Client().ImageInspect(t.Context(), im.name(binary))
	must(t, err)
	cfg := image.Config
	if cfg.User != "65532:65532" || !slices.Equal(cfg.Entrypoint, []string{"/entrypoint"}) || len(cfg.Cmd) > 0 {
		t.Errorf("runs %q %q as user %q", cfg.Entrypoint, cfg.Cmd, cfg.User)
	}
	if ports := slices.Collect(maps.Keys(cfg.ExposedPorts)); !slices.Equal(ports, []string{im.ports[binary] + "/tcp"}) {
		t.Errorf("exposes %q", ports)
	}
	for label, want := range map[string]string{"title": "roomsync " + binary, "version": testVersion, "revision": testRevision} {
		if got := cfg.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	want := map[string]string{"entrypoint": "-rwxr-xr-x 0", "etc/ssl/certs/ca-certificates.crt": "-rw-r--r-- 0"}
	if got := files(t, im, binary); !maps.Equal(got, want) {
		t.Errorf("holds %q, want %q", got, want)
	}
}

// files lists the regular files and links of an image with mode and owner, without those that the engine puts into
// every container.
func files(t *testing.T, im *images, binary string) map[string]string {
	c := im.run(t, binary, testcontainers.WithNoStart())
	r, err := im.docker.Client().ContainerExport(t.Context(), c.GetContainerID(), client.ContainerExportOptions{})
	must(t, err)
	defer func() { _ = r.Close() }()
	engines := []string{".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "dev/console"}
	found := map[string]string{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		must(t, err)
		if h.Typeflag != tar.TypeDir && !slices.Contains(engines, h.Name) {
			found[h.Name] = fmt.Sprint(h.FileInfo().Mode(), " ", h.Uid)
		}
	}
}

// editBecomesExactlyOneEvent edits one thing in every calendar, waits until ROOMS knows, and so on. The last edit is
// there so that an event that came twice would have come by then.
func (c *cluster) editBecomesExactlyOneEvent(t *testing.T) {
	workers := []*testcontainers.DockerContainer{c.worker(t), c.worker(t)}
	for _, daemon := range append(workers, c.dispatcher, c.exchange) {
		if uid := c.uid(t, daemon); uid != "65532" {
			t.Errorf("container %.12s runs as user %s", daemon.GetContainerID(), uid)
		}
	}
	c.settled(t, 20*time.Second)
	before := c.witness.changePages()
	items := map[string]simItem{}
	round := func(edit func(address string) error) {
		for _, address := range c.addresses {
			must(t, edit(address))
		}
		c.settled(t, 20*time.Second)
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	round(func(address string) (err error) {
		items[address], err = c.sim.create(address, "Board", tomorrow)
		return err
	})
	round(func(address string) error {
		_, err := c.sim.rename(address, items[address].ID, "Board meeting")
		return err
	})
	round(func(address string) error { return c.sim.remove(address, items[address].ID) })
	round(func(address string) error {
		_, err := c.sim.create(address, "Lunch", tomorrow)
		return err
	})
	for address, it := range items {
		if kinds := c.witness.kinds(it.ID); !slices.Equal(kinds, []string{"created", "updated", "deleted"}) {
			t.Errorf("%s: ROOMS was told %q", address, kinds)
		}
	}
	if got, want := c.witness.changePages()-before, 4*len(c.addresses); got != want {
		t.Errorf("%d events for %d edits", got, want)
	}
}

// operatorsCommand runs the image of the command line once, in the network.
func (c *cluster) operatorsCommand(t *testing.T) {
	run := c.run(t, "roomsync", c.joined("ops"), testcontainers.WithCmd("mailboxes", "list", "--json"),
		testcontainers.WithEnv(map[string]string{"ROOMSYNC_NATS_URL": "nats://nats:4222"}),
		testcontainers.WithWaitStrategy(wait.ForExit()))
	state, err := run.State(t.Context())
	must(t, err)
	out := c.log(run)
	if state.ExitCode != 0 {
		t.Errorf("exit code %d", state.ExitCode)
	}
	for _, address := range c.addresses {
		if strings.Count(out, `"`+address+`"`) != 1 {
			t.Errorf("%s does not stand once in %s", address, out)
		}
	}
}

// workerKilled kills one of two workers among edits. What it had in hand comes back once its lease has run out.
func (c *cluster) workerKilled(t *testing.T) {
	killed, other := c.worker(t), c.worker(t)
	rnd := rand.New(rand.NewPCG(1, 1))
	c.sim.edit(t, rnd, c.addresses, 100)
	if code := c.signal(t, killed, "SIGKILL"); code != 137 {
		t.Errorf("exit code %d", code)
	}
	c.sim.edit(t, rnd, c.addresses, 100)
	c.settled(t, time.Minute)
	alive(t, other, c.dispatcher)
}

// natsRestarted stops NATS among edits and starts it again: what it holds is in its volume, the rest of its file system
// is read-only. Afterwards every event is read again from the first one on.
func (c *cluster) natsRestarted(t *testing.T) {
	workers := []*testcontainers.DockerContainer{c.worker(t), c.worker(t)}
	rnd := rand.New(rand.NewPCG(2, 2))
	c.sim.edit(t, rnd, c.addresses, 100)
	c.forget()
	patience := 10 * time.Second
	must(t, c.nats.Stop(t.Context(), &patience))
	c.sim.edit(t, rnd, c.addresses, 50)
	must(t, c.nats.Start(t.Context()))
	c.connect(t)
	c.sim.edit(t, rnd, c.addresses, 50)
	c.settled(t, time.Minute)
	alive(t, append(workers, c.dispatcher)...)
}

// terminatedInTime stops each daemon as docker stop does, a worker in the middle of its work. Another worker finishes
// that.
func (c *cluster) terminatedInTime(t *testing.T) {
	first, second := c.worker(t), c.worker(t)
	c.sim.edit(t, rand.New(rand.NewPCG(3, 3)), c.addresses, 50)
	stop := func(name string, target *testcontainers.DockerContainer) {
		if code := c.signal(t, target, "SIGTERM"); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	stop("worker", first)
	c.settled(t, 20*time.Second)
	stop("second worker", second)
	stop("dispatcher", c.dispatcher)
	stop("exchangesim", c.exchange)
}
