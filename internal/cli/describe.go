package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"pharos/internal/pharos"
)

// describe writes a program's command line as a manual page, or as what completes
// it in a shell.
func describe(w io.Writer, app *kong.Node, form string) {
	switch form {
	case "man":
		describeForMan(w, app)
	case "fish":
		describeForFish(w, app, app.Name, "")
	case "zsh":
		fmt.Fprintf(w, "#compdef %s\nautoload -U +X bashcompinit && bashcompinit\n", app.Name)
		describeForBash(w, app)
	default:
		describeForBash(w, app)
	}
}

// flagsOf returns what a command adds to those above it.
func flagsOf(n *kong.Node) (all []*kong.Flag) {
	for _, f := range n.Flags {
		if !f.Hidden {
			all = append(all, f)
		}
	}
	return all
}

var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`)

func describeForMan(w io.Writer, app *kong.Node) {
	fmt.Fprintf(w, ".TH %s 1 \"\" \"Pharos %s\" \"Pharos\"\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s\n[flags] [command]\n", strings.ToUpper(app.Name), pharos.Version, app.Name, roff.Replace(app.Help), app.Name)
	fmt.Fprint(w, ".SH FLAGS\n")
	manFlags(w, app)
	if len(app.Children) > 0 {
		fmt.Fprint(w, ".SH COMMANDS\n")
		manCommands(w, app, "")
	}
	fmt.Fprint(w, ".SH SIGNALS\nSIGTERM and SIGINT end it at once and cleanly; SIGHUP has it read its file again.\n.SH SEE ALSO\n")
	for i, other := range []string{"prober", "dashboard", "allinone"} {
		if other != app.Name {
			fmt.Fprintf(w, ".BR %s (1)%s\n", other, map[bool]string{true: "", false: ","}[i == 2 || i == 1 && app.Name == "allinone"])
		}
	}
}

func manFlags(w io.Writer, n *kong.Node) {
	for _, f := range flagsOf(n) {
		fmt.Fprint(w, ".TP\n.B ")
		if f.Short != 0 {
			fmt.Fprintf(w, "\\-%c, ", f.Short)
		}
		fmt.Fprintf(w, "\\-\\-%s", roff.Replace(f.Name))
		if !f.IsBool() && !f.IsCounter() {
			fmt.Fprintf(w, "=%s", roff.Replace(f.FormatPlaceHolder()))
		}
		fmt.Fprintf(w, "\n%s", roff.Replace(f.Help))
		for _, env := range f.Envs {
			fmt.Fprintf(w, " Also as the variable %s.", env)
		}
		fmt.Fprintln(w)
	}
}

func manCommands(w io.Writer, n *kong.Node, path string) {
	for _, c := range n.Children {
		var words []string
		for _, p := range c.Positional {
			words = append(words, strings.ToUpper(p.Name))
		}
		fmt.Fprintf(w, ".SS %s\n%s\n", roff.Replace(strings.TrimSpace(path+" "+c.Name+" "+strings.Join(words, " "))), roff.Replace(c.Help))
		for _, p := range c.Positional {
			fmt.Fprintf(w, ".TP\n.I %s\n%s\n", strings.ToUpper(p.Name), roff.Replace(p.Help))
		}
		manFlags(w, c)
		manCommands(w, c, strings.TrimSpace(path+" "+c.Name))
	}
}

// describeForBash writes a function that finds the command that is typed, and
// offers its flags and commands, and files for a flag that wants a value.
func describeForBash(w io.Writer, app *kong.Node) {
	var valued []string
	var paths, cases strings.Builder
	var visit func(n *kong.Node, path, above string)
	visit = func(n *kong.Node, path, above string) {
		words := above
		for _, f := range flagsOf(n) {
			words += " --" + f.Name
			if !f.IsBool() && !f.IsCounter() {
				valued = append(valued, "--"+f.Name)
				if f.Short != 0 {
					valued = append(valued, "-"+string(f.Short))
				}
			}
		}
		flags := words
		for _, c := range n.Children {
			words += " " + c.Name
		}
		for _, p := range n.Positional {
			words += " " + strings.Join(p.EnumSlice(), " ")
		}
		fmt.Fprintf(&paths, " %q", path)
		fmt.Fprintf(&cases, "    %q) words=%q ;;\n", path, strings.TrimSpace(words))
		for _, c := range n.Children {
			visit(c, strings.TrimSpace(path+" "+c.Name), flags)
		}
	}
	visit(app, "", "")
	fmt.Fprintf(w, `_%[1]s() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= words= word known
  case $prev in
    %[2]s) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    for known in%[3]s; do
      if [[ $known == "${path:+$path }$word" ]]; then path=$known; fi
    done
  done
  case $path in
%[4]s  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -F _%[1]s %[1]s
`, app.Name, strings.Join(valued, "|"), paths.String(), cases.String())
}

var fishText = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

func describeForFish(w io.Writer, n *kong.Node, program, when string) {
	for _, f := range flagsOf(n) {
		fmt.Fprintf(w, "complete -c %s%s -l %s -d '%s'", program, when, f.Name, fishText.Replace(f.Help))
		if f.Short != 0 {
			fmt.Fprintf(w, " -s %c", f.Short)
		}
		if !f.IsBool() && !f.IsCounter() {
			fmt.Fprint(w, " -r")
		}
		fmt.Fprintln(w)
	}
	for _, c := range n.Children {
		here := when
		if here == "" {
			here = " -n __fish_use_subcommand"
		}
		fmt.Fprintf(w, "complete -c %s%s -f -a %s -d '%s'\n", program, here, c.Name, fishText.Replace(c.Help))
		describeForFish(w, c, program, " -n '__fish_seen_subcommand_from "+c.Name+"'")
	}
}
