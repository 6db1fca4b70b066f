package integration

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

// needDocker skips, or fails when ROOMSYNC_REQUIRE_DOCKER=1, where no engine for Linux containers answers.
func needDocker(t *testing.T) *testcontainers.DockerProvider {
	t.Helper()
	if testing.Short() {
		t.Skip("container tests are left out with -short")
	}
	docker, err := testcontainers.NewDockerProvider()
	if err != nil {
		noDocker(t, err)
	}
	t.Cleanup(func() { _ = docker.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	info, err := docker.Client().Info(ctx, client.InfoOptions{})
	if err != nil {
		noDocker(t, err)
	}
	if info.Info.OSType != "linux" {
		noDocker(t, errors.New("the engine runs containers of "+info.Info.OSType+", not of Linux"))
	}
	needReaper(t)
	return docker
}

// needReaper skips where testcontainers cannot start its own container, which cleans up after tests that died: its
// image has to be pulled. The first network of a process starts it.
func needReaper(t *testing.T) {
	t.Helper()
	probe, err := network.New(t.Context())
	if err != nil {
		noDocker(t, fmt.Errorf("%w (where no image can be pulled: TESTCONTAINERS_RYUK_DISABLED=true)", err))
	}
	must(t, probe.Remove(t.Context()))
}

func noDocker(t *testing.T, err error) {
	t.Helper()
	why := "no Docker engine for the container tests: " + err.Error()
	if os.Getenv("ROOMSYNC_REQUIRE_DOCKER") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// natsServer is the package of the server's command.
const natsServer = "github.com/nats-io/nats-server/v2"

// images names the test's images, by binary, and says which port each exposes.
type images struct {
	docker *testcontainers.DockerProvider
	tag    string
	ports  map[string]string
}

const testVersion, testRevision = "0.0.0-test", "0123abc"

// buildImages builds every image by deploy/Dockerfile from nothing but static binaries; they are removed when the test
// ends. The NATS server is packed the same way.
func buildImages(t *testing.T, docker *testcontainers.DockerProvider) *images {
	t.Helper()
	im := &images{docker: docker, tag: strings.ToLower(rand.Text()[:10]), ports: map[string]string{
		"worker": "8081", "dispatcher": "8080", "roomsync": "8080", "exchangesim": "8445", "nats-server": "4222",
	}}
	dir := staticBinaries(t)
	for binary, port := range im.ports {
		must(t, im.build(t, dir, binary, port))
	}
	return im
}

func (im *images) name(binary string) string { return "roomsync-test/" + binary + ":" + im.tag }

// staticBinaries builds what goes into the images: without C, for the engine's Linux.
func staticBinaries(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", dir+string(filepath.Separator),
		"roomsync/cmd/worker", "roomsync/cmd/dispatcher", "roomsync/cmd/roomsync", "roomsync/cmd/exchangesim", natsServer)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

func (im *images) build(t *testing.T, binaries, binary, port string) error {
	t.Helper()
	dir := t.TempDir()
	dockerfile, err := os.ReadFile(filepath.Join("..", "..", "deploy", "Dockerfile"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), dockerfile, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "ca-certificates.crt"), caBundle(), 0o644))
	must(t, os.Rename(filepath.Join(binaries, binary), filepath.Join(dir, binary)))
	arg := func(s string) *string { return &s }
	var log bytes.Buffer
	name, err := im.docker.BuildImage(t.Context(), &testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{
		Context: dir, Repo: "roomsync-test/" + binary, Tag: im.tag, BuildLogWriter: &log,
		BuildArgs: map[string]*string{
			"BASE": arg("scratch"), "BINARY": arg(binary), "PORT": arg(port),
			"VERSION": arg(testVersion), "REVISION": arg(testRevision),
		},
	}})
	if err != nil {
		t.Logf("building the image of %s:\n%s", binary, &log)
		return err
	}
	t.Cleanup(func() {
		_, err := im.docker.Client().ImageRemove(context.Background(), name, client.ImageRemoveOptions{Force: true, PruneChildren: true})
		if err != nil {
			t.Errorf("removing image %s: %v", name, err)
		}
	})
	return nil
}

// caBundle is this machine's, or a placeholder: no test reaches a public host.
func caBundle() []byte {
	data, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		return []byte("# no CA certificates on the machine that built this image\n")
	}
	return data
}

// run starts a container, and removes it with its volumes when the test ends. Its log is shown when the test failed.
func (im *images) run(t *testing.T, binary string, opts ...testcontainers.ContainerCustomizer) *testcontainers.DockerContainer {
	t.Helper()
	c, err := testcontainers.Run(t.Context(), im.name(binary), append(opts, hardened)...)
	if c != nil {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("log of %s %.12s:\n%s", binary, c.GetContainerID(), im.log(c))
			}
			if err := testcontainers.TerminateContainer(c, testcontainers.StopTimeout(time.Second)); err != nil {
				t.Errorf("removing the container of %s: %v", binary, err)
			}
		})
	}
	if err != nil {
		t.Fatalf("container of %s: %v", binary, err)
	}
	return c
}

// hardened is how an orchestrator that means well runs them.
var hardened = testcontainers.WithHostConfigModifier(func(h *container.HostConfig) {
	h.ReadonlyRootfs = true
	h.CapDrop = []string{"ALL"}
	h.SecurityOpt = []string{"no-new-privileges"}
})

// log is what a container wrote, at most the last 64 KiB.
func (im *images) log(c testcontainers.Container) string {
	r, err := c.Logs(context.Background())
	if err != nil {
		return err.Error()
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-64<<10):])
}

// trusting mounts a volume over the folder of CA certificates and adds one to it, before the container starts.
func (im *images) trusting(certificate []byte) testcontainers.CustomizeRequestOption {
	return func(req *testcontainers.GenericContainerRequest) error {
		err := testcontainers.WithConfigModifier(func(c *container.Config) {
			c.Volumes = map[string]struct{}{"/etc/ssl/certs": {}}
		})(req)
		return errors.Join(err, testcontainers.WithAdditionalLifecycleHooks(testcontainers.ContainerLifecycleHooks{
			PostCreates: []testcontainers.ContainerHook{func(ctx context.Context, c testcontainers.Container) error {
				_, err := im.docker.Client().CopyToContainer(ctx, c.GetContainerID(), client.CopyToContainerOptions{
					DestinationPath: "/etc/ssl/certs", Content: archive("exchangesim.pem", certificate),
				})
				return err
			}},
		})(req))
	}
}

// archive is a tar with one file that everybody may read.
func archive(name string, data []byte) io.Reader {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: name, Mode: 0o444, Size: int64(len(data))}) // writing to memory cannot fail
	_, _ = w.Write(data)
	_ = w.Close()
	return &b
}
