// Package docs_test holds the documentation to the tree: what it links to, names
// and quotes is there.
package docs_test

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// tree lists the files and folders of the repository, by their paths in it. In a clone
// they are those that git knows: a page that a user has lying about is held to nothing.
func tree(t *testing.T) (paths []string) {
	t.Helper()
	known := tracked()
	skipped := []string{".git", "bin", "dist", "node_modules"}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err = filepath.Rel(root, name)
		if slices.Contains(skipped, name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if name = filepath.ToSlash(name); known == nil || known[name] {
			paths = append(paths, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// tracked are the files that git knows, and their folders; nil where this is no clone.
func tracked() map[string]bool {
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil || len(out) == 0 {
		return nil
	}
	known := map[string]bool{}
	for name := range strings.FieldsFuncSeq(string(out), func(r rune) bool { return r == '\n' }) {
		for ; !known[name]; name = path.Dir(name) { // "." is the last
			known[name] = true
		}
	}
	return known
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are all Markdown files, by their path.
func pages(t *testing.T) map[string]page {
	t.Helper()
	all := map[string]page{}
	for _, name := range tree(t) {
		if strings.HasSuffix(name, ".md") {
			all[name] = parse(read(t, name))
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

// page is a Markdown file, taken apart.
type page struct {
	prose   string          // without its code
	code    []string        // each span, and each line of each block
	anchors map[string]bool // of the headings, as GitHub makes them
}

var span = regexp.MustCompile("(``+)(.+?)(``+)|`([^`\n]+)`")

func parse(text string) page {
	p := page{anchors: map[string]bool{}}
	var prose []string
	fence, blank := "", true
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		trimmed := strings.TrimSpace(line)
		indented := strings.HasPrefix(line, "    ") && blank
		switch {
		case fence != "" && trimmed == fence:
			fence = ""
		case fence != "" || indented: // a block goes on over its own lines
			p.code = append(p.code, line)
			continue
		case strings.HasPrefix(trimmed, "```"):
			fence = "```"
		default:
			prose = append(prose, line)
		}
		blank = trimmed == ""
	}
	p.prose = span.ReplaceAllStringFunc(strings.Join(prose, "\n"), func(code string) string {
		p.code = append(p.code, strings.Trim(code, "`"))
		return "`" + strings.Repeat("x", len(code)-2) + "`"
	})
	for _, line := range prose {
		if m := regexp.MustCompile(`^#{1,6} +(.*?)#* *$`).FindStringSubmatch(line); m != nil {
			p.anchors[p.fresh(slug(m[1]))] = true
		}
	}
	return p
}

// slug is what GitHub makes of a heading.
func slug(heading string) string {
	heading = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(heading, "$1")
	heading = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(heading, "")
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")
}

// fresh numbers a heading that the page has already.
func (p page) fresh(anchor string) string {
	for n, name := 1, anchor; ; n++ {
		if !p.anchors[name] {
			return name
		}
		name = anchor + "-" + string(rune('0'+n))
	}
}

var links = regexp.MustCompile(`\]\(<?([^()<>\s]+)>?(?:\s+"[^"]*")?\)|(?m:^\s*\[[^\]]+\]:\s+(\S+))|(?:href|src|srcset)="([^"\s]+)`)

// targets are what a page links to, URLs aside.
func (p page) targets() (all []string) {
	for _, m := range links.FindAllStringSubmatch(p.prose, -1) {
		target := m[1] + m[2] + m[3]
		if !regexp.MustCompile(`^[a-z][a-z+.-]*:`).MatchString(target) {
			all = append(all, target)
		}
	}
	return all
}

func TestLinks(t *testing.T) {
	all, there := pages(t), tree(t)
	seen := 0
	for name, p := range all {
		for _, target := range p.targets() {
			seen++
			file, anchor, hasAnchor := strings.Cut(target, "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			other, isPage := all[to]
			switch {
			case strings.HasPrefix(file, "/") || !slices.Contains(there, to):
				t.Errorf("%s links to %s, which is not there", name, target)
			case hasAnchor && isPage && !other.anchors[anchor]:
				t.Errorf("%s links to %s: that page has no such heading", name, target)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d links were found", seen)
	}
}

// TestMakeTargets: each make target that is named in code is in the Makefile.
func TestMakeTargets(t *testing.T) {
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([A-Za-z0-9_.-]+):(?:[^=]|$)`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	called := regexp.MustCompile(`(?:^|[^\w./-])make((?: +[A-Za-z_]+=\S*| +[a-z][a-z0-9.-]*)+)`)
	quoted := regexp.MustCompile(`'[^']*'|"[^"]*"`)
	seen := 0
	for name, p := range pages(t) {
		for _, code := range p.code {
			code, _, _ = strings.Cut(code, " #")
			code = quoted.ReplaceAllString(code, "")
			for _, m := range called.FindAllStringSubmatch(code, -1) {
				for word := range strings.FieldsSeq(m[1]) {
					seen++
					if !strings.Contains(word, "=") && !targets[word] {
						t.Errorf("%s names make %s, which is no target", name, word)
					}
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d were found", seen)
	}
}

// notHere are names in code that look like this repository's files and are the
// reader's own, or made by a make target.
var notHere = regexp.MustCompile(`^(my-|.*\b(NAME|GROUP)\b|bench(-fleet)?\.|coverage\.|path/to|bin/|dist/|[A-Z]+[/.])`)

// TestFiles: each file and folder that is named in code is there: a path that
// begins with a folder of the root or of the page, or a name that ends as files
// here do.
func TestFiles(t *testing.T) {
	there := tree(t)
	base := map[string]bool{}
	top := map[string]bool{}
	for _, name := range there {
		base[path.Base(name)] = true
		first, _, _ := strings.Cut(name, "/")
		top[first] = true
	}
	exists := func(pattern string) bool {
		return slices.ContainsFunc(there, func(name string) bool {
			ok, err := path.Match(pattern, name)
			return err == nil && ok
		})
	}
	file := regexp.MustCompile(`^[\w.*-]+\.(go|md|ya?ml|svg|sh|mod|sum|schema\.json)$`)
	seen := 0
	for name, p := range pages(t) {
		for _, code := range p.code {
			for word := range strings.FieldsSeq(code) {
				word = strings.Trim(word, `"'(),;:|`)
				word = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(word, "./"), "..."), "/")
				if notHere.MatchString(word) || strings.ContainsAny(word, "<>$={}@#…") {
					continue
				}
				first, _, isPath := strings.Cut(word, "/")
				switch {
				case isPath && (top[first] || first == ".."):
					seen++
					if !exists(word) && !exists(path.Join(path.Dir(name), word)) {
						t.Errorf("%s names %s, which is not there", name, word)
					}
				case !isPath && file.MatchString(word):
					seen++
					if !base[word] {
						t.Errorf("%s names %s, and no file here has this name", name, word)
					}
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d were found", seen)
	}
}

// TestReadme: it is read in three minutes, and no page is further from it than
// one link.
func TestReadme(t *testing.T) {
	text := read(t, "README.md")
	if lines := strings.Count(text, "\n"); lines > 170 {
		t.Errorf("README.md has %d lines, more than 170", lines)
	}
	targets := parse(text).targets()
	for name := range pages(t) {
		linked := slices.ContainsFunc(targets, func(target string) bool {
			file, _, _ := strings.Cut(target, "#")
			return path.Clean(file) == name
		})
		if path.Dir(name) == "docs" && !linked {
			t.Errorf("README.md does not link to %s", name)
		}
	}
}

// TestPagesBegin: each page of docs/ has one title, and says next what it is for.
func TestPagesBegin(t *testing.T) {
	for name := range pages(t) {
		if path.Dir(name) != "docs" {
			continue
		}
		text := read(t, name)
		lines := strings.SplitN(text, "\n", 4)
		if len(lines) < 4 || !strings.HasPrefix(lines[0], "# ") || lines[1] != "" || !regexp.MustCompile(`^[A-Z].{40,}[.:]`).MatchString(lines[2]) {
			t.Errorf("%s does not begin with a title, an empty line and a paragraph on what it is for", name)
		}
	}
}

// TestPictures: each has a text for those who do not see it, in the page and in
// itself, and is well-formed.
func TestPictures(t *testing.T) {
	for name, p := range pages(t) {
		for _, m := range regexp.MustCompile(`!\[([^\]]*)\]`).FindAllStringSubmatch(p.prose, -1) {
			if len(m[1]) < 20 {
				t.Errorf("%s: a picture has the text %q: say what is to be seen", name, m[1])
			}
		}
	}
	for _, name := range tree(t) {
		if !strings.HasSuffix(name, ".svg") {
			continue
		}
		text := read(t, name)
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, want := range []string{`role="img"`, "<title", "prefers-color-scheme:dark"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %s", name, want)
			}
		}
	}
}

// TestReasons: README and docs/outcomes.md have every reason of the reporter's own.
func TestReasons(t *testing.T) {
	reasons := regexp.MustCompile(`\bReason[A-Z]\w+ += "(\w+)"`).FindAllStringSubmatch(read(t, "contract/outcome.go"), -1)
	if len(reasons) < 7 {
		t.Fatalf("only %d reasons were found", len(reasons))
	}
	for _, page := range []string{"README.md", "docs/outcomes.md", "docs/troubleshooting.md"} {
		text := read(t, page)
		for _, m := range reasons {
			if !regexp.MustCompile(`(?m)^\|.*\b` + m[1] + `\b`).MatchString(text) {
				t.Errorf("%s has no row for %s", page, m[1])
			}
		}
	}
}

// TestParse holds the tests above to what they are for.
func TestParse(t *testing.T) {
	p := parse("# A `b` [c](d.md): *e*!\n\n## Same\n\n## Same\n\ntext `make x` [l](a.md#b) ![i](i.svg)\n\n    indented [no](no.md)\n\n" +
		"```sh\n# no heading\n[no](no.md)\n```\n\n`[no](no.md)` <img src=\"p.png\"> [u](https://x.example/)\n\n[r]: r.md\n")
	for _, anchor := range []string{"a-b-c-e", "same", "same-1"} {
		if !p.anchors[anchor] {
			t.Errorf("no anchor %s in %v", anchor, p.anchors)
		}
	}
	if len(p.anchors) != 3 {
		t.Errorf("anchors: %v", p.anchors)
	}
	if got, want := p.targets(), []string{"d.md", "a.md#b", "i.svg", "p.png", "r.md"}; !slices.Equal(got, want) {
		t.Errorf("targets: %v, want %v", got, want)
	}
	if want := []string{"    indented [no](no.md)", "# no heading", "[no](no.md)", "b", "make x", "[no](no.md)"}; !slices.Equal(p.code, want) {
		t.Errorf("code: %q, want %q", p.code, want)
	}
}
