package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is the content of a configuration file: flag names and their values.
type configFile map[string]any

func loadConfig(r io.Reader) (kong.Resolver, error) {
	var c map[string]any // not yet a configFile: the decoder would make the mappings inside it of the same type
	if err := yaml.NewDecoder(r).Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("not a YAML mapping of flag names to values: %w", err)
	}
	return configFile(c), nil
}

// Validate implements kong.Resolver: a key that is no flag of any command is an error.
func (c configFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	if err != nil {
		return err
	}
	var unknown []string
	for key := range c {
		if !known[key] {
			unknown = append(unknown, key)
		}
	}
	if unknown != nil {
		slices.Sort(unknown)
		return fmt.Errorf("unknown key in the configuration file: %s; the keys are the names of flags, see --help", strings.Join(unknown, ", "))
	}
	return nil
}

// Resolve implements kong.Resolver. A variable of the environment goes before the file.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	value, ok := c[flag.Name]
	if !ok {
		return nil, nil
	}
	return value, nil
}
