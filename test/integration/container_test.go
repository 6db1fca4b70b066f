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

	"roomsync/internal/bus"
	"roomsync/internal/exchangesim/faults"
)

// TestContainers runs the system as its images: the same binaries that a release ships, each in a container of its own
// with a read-only root file system and without capabilities, over TLS, and without anything pulled from a registry.
func TestContainers(t *testing.T) {
	im := buildImages(t, needDocker(t))
	for _, binary := range []string{"worker", "dispatcher", "roomsync", "exchangesim"} {
		t.Run("Image/"+binary, func(t *testing.T) { checkImage(t, im, binary) })
	}
	for name, scenario := range map[string]func(*testing.T, *cluster){"Normal": normal, "WorkerKilled": workerKilled, "NATSRestarted": natsRestarted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has a cluster of its own, and most of their time is waiting for leases to run out
			scenario(t, startCluster(t, im))
		})
	}
}

// patience is for what must come true, however busy the machine. What a worker that died had in hand goes to another
// only after half a minute (bus.AckWait).
const patience = 75 * time.Second

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

// normal is a day on which nothing breaks.
func normal(t *testing.T, c *cluster) {
	t.Run("EditBecomesExactlyOneEvent", func(t *testing.T) { editBecomesExactlyOneEvent(t, c) })
	t.Run("OperatorsCommand", func(t *testing.T) { operatorsCommand(t, c) })
	t.Run("TerminatedInTime", func(t *testing.T) { terminatedInTime(t, c) })
}

// editBecomesExactlyOneEvent edits one thing in every calendar, waits until ROOMS knows, and so on. The last edit is
// there so that an event that came twice would have come by then.
func editBecomesExactlyOneEvent(t *testing.T, c *cluster) {
	workers := []*testcontainers.DockerContainer{c.worker(t), c.worker(t)}
	for _, daemon := range append(workers, c.dispatcher, c.exchange) {
		if uid := c.uid(t, daemon); uid != "65532" {
			t.Errorf("container %.12s runs as user %s", daemon.GetContainerID(), uid)
		}
	}
	c.settled(t)
	before := c.witness.changePages()
	items := map[string]simItem{}
	round := func(edit func(address string) error) {
		for _, address := range c.addresses {
			must(t, edit(address))
		}
		c.settled(t)
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
func operatorsCommand(t *testing.T, c *cluster) {
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

// workerKilled kills a worker that certainly has jobs in hand: those of the rooms, whose calls Exchange leaves without an
// answer. The other worker goes on with everybody else's calendars, but for the few that happened to be in hand as well,
// and takes over those and the rooms' when their time is over.
func workerKilled(t *testing.T, c *cluster) {
	killed := c.worker(t)
	c.settled(t)
	rule := faults.Rule{Fault: "H15", Mailbox: "room*", Operation: "SyncFolderItems", Attempt: faults.Attempts{From: 1, To: 1}}
	must(t, c.sim.call("POST", "faults", rule, nil))
	rooms, people := byKind(c.addresses)
	eventually(t, patience, func() error { return c.sim.struck(len(rooms)) })
	rnd := rand.New(rand.NewPCG(1, 1))
	c.sim.edit(t, rnd, c.addresses, 100)
	other := c.worker(t)
	if code := c.signal(t, killed, "SIGKILL"); code != 137 {
		t.Errorf("exit code %d", code)
	}
	c.sim.edit(t, rnd, c.addresses, 100)
	eventually(t, bus.AckWait/2, func() error { return c.witness.knowsSome(people) })
	c.settled(t)
	alive(t, other, c.dispatcher)
}

// byKind tells the rooms' mailboxes from the people's.
func byKind(addresses []string) (rooms, people []string) {
	for _, address := range addresses {
		if strings.HasPrefix(address, "room") {
			rooms = append(rooms, address)
		} else {
			people = append(people, address)
		}
	}
	return rooms, people
}

// natsRestarted stops NATS among edits and starts it again: what it holds is in its volume, the rest of its file system
// is read-only. Afterwards every event is read again from the first one on.
func natsRestarted(t *testing.T, c *cluster) {
	workers := []*testcontainers.DockerContainer{c.worker(t), c.worker(t)}
	rnd := rand.New(rand.NewPCG(2, 2))
	c.sim.edit(t, rnd, c.addresses, 100)
	c.forget()
	must(t, c.nats.Stop(t.Context(), nil))
	c.sim.edit(t, rnd, c.addresses, 50)
	must(t, c.nats.Start(t.Context()))
	c.connect(t)
	c.sim.edit(t, rnd, c.addresses, 50)
	c.settled(t)
	alive(t, append(workers, c.dispatcher)...)
}

// terminatedInTime stops each daemon as docker stop does, a worker in the middle of its work. Another worker finishes
// that.
func terminatedInTime(t *testing.T, c *cluster) {
	first, second := c.worker(t), c.worker(t)
	c.sim.edit(t, rand.New(rand.NewPCG(3, 3)), c.addresses, 50)
	stop := func(name string, target *testcontainers.DockerContainer) {
		if code := c.signal(t, target, "SIGTERM"); code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	stop("worker", first)
	c.settled(t)
	stop("second worker", second)
	stop("dispatcher", c.dispatcher)
	stop("exchangesim", c.exchange)
}
