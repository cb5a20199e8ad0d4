// Tests of a client in Go: each run has a server of its own, on any free port.
package example

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hirochachacha/go-smb2"
)

// What `tsmbd serve --ready-file` writes; it has more.
type ready struct {
	Host     string
	Port     int
	Share    string
	Path     string
	User     string
	Password string
}

var server ready

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "smb")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	fifo := filepath.Join(folder, "ready")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		panic(err)
	}
	share := filepath.Join(folder, "share")
	if err := os.Mkdir(share, 0o700); err != nil {
		panic(err)
	}
	serve := exec.Command("tsmbd", "serve", share, "--port", "0", "--ready-file", fifo, "--die-with-parent")
	serve.Stderr = os.Stderr
	if err := serve.Start(); err != nil {
		panic(err)
	}
	defer serve.Wait()
	defer serve.Process.Signal(os.Interrupt)
	written, err := os.ReadFile(fifo) // waits until clients can connect
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(written, &server); err != nil {
		panic(err)
	}
	return m.Run()
}

func mount(t *testing.T) *smb2.Share {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("%s:%d", server.Host, server.Port))
	if err != nil {
		t.Fatal(err)
	}
	dialer := &smb2.Dialer{Initiator: &smb2.NTLMInitiator{User: server.User, Password: server.Password}}
	session, err := dialer.Dial(conn)
	if err != nil {
		t.Fatal(err)
	}
	share, err := session.Mount(server.Share)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		share.Umount()
		session.Logoff()
		conn.Close()
	})
	return share
}

func TestWhatIsWrittenIsOnTheDisk(t *testing.T) {
	share := mount(t)
	if err := share.WriteFile("report.txt", []byte("all is well"), 0o644); err != nil {
		t.Fatal(err)
	}
	found, err := os.ReadFile(filepath.Join(server.Path, "report.txt"))
	if err != nil || string(found) != "all is well" {
		t.Fatalf("%q, %v", found, err)
	}
}

func TestWhatIsMissingIsAnError(t *testing.T) {
	if _, err := mount(t).ReadFile("missing.txt"); !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
