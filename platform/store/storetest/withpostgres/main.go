// Withpostgres runs a command with a PostgreSQL server of its own, on which the tests of that command make their datastores.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"cutpoint/platform/store/storetest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "withpostgres: name the command to run")
		os.Exit(2)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// run returns the command's exit status.
func run(command []string) (code int, err error) {
	server, err := storetest.Start()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), storetest.EnvDatastore+"=postgres", storetest.EnvPostgres+"="+server.URL)
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}
