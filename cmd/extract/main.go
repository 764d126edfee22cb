// Command extract writes a module of this repository out as a Go module, a repository, of its own: the program cmd/<module>, all of
// ours that it links, the tests of that, and what a repository needs around it. The module's code is not changed, but for the import
// paths. See docs/guides/extract-a-module.md.
//
//	go run ./cmd/extract [-module-path PATH] [-force] MODULE DIRECTORY
//
// The other half takes the module's body out of this repository, once it lives elsewhere:
//
//	go run ./cmd/extract -detach [-force] MODULE
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	flags := flag.NewFlagSet("extract", flag.ExitOnError)
	e := extraction{root: "."}
	flags.StringVar(&e.path, "module-path", "", "path of the new Go module; the name of the module if it is not given")
	flags.BoolVar(&e.force, "force", false, "also take changes that are not committed")
	detach := flags.Bool("detach", false, "take the module's body out of this repository")
	_ = flags.Parse(os.Args[1:]) // it exits
	var err error
	switch {
	case *detach && flags.NArg() == 1:
		e.module = flags.Arg(0)
		err = e.detach()
	case !*detach && flags.NArg() == 2:
		e.module, e.out = flags.Arg(0), flags.Arg(1)
		err = e.run()
	default:
		fmt.Fprintln(os.Stderr, "extract: say which module, and a directory for it: make extract MODULE=payments OUT=../payments; or make detach MODULE=payments")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "extract: %s\n", strings.Join(strings.Fields(err.Error()), " "))
		os.Exit(1)
	}
	if *detach {
		fmt.Printf(detached, e.module, strings.Join(e.others(), ","))
		return
	}
	fmt.Printf(extracted, e.module, e.out, e.module, strings.Join(e.others(), ","))
}

const extracted = `%s is a Go module of its own now: %s

  make test                                        try it, there
  make run                                         run it, there; README.md says more
  bin/cutpoint serve --modules %[4]s --nats-listen 127.0.0.1:4222 ...
                                                   run the shop beside it; nothing has to be changed for that
  make detach MODULE=%[3]s                         take its body out of this repository, when it is to live there alone
`

const detached = `The body of %s is out of this repository. The shop finds it where it runs:

  bin/cutpoint serve --modules %s --nats-listen 127.0.0.1:4222 ...

See the changes with git diff. Tests that run a whole shop in one process (cmd/cutpoint and cmd/internal: crash, mutants, shop, sim)
can't have it any more, nor can bin/cutpoint audit: a revision that still has the body can.
`
