package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"
)

// A name: parts with dots between them; a part in «» may hold anything.
var name = regexp.MustCompile(`^(?:[\pL_][\pL\pN_'!?]*|«[^»]*»)(?:\.(?:[\pL_][\pL\pN_'!?]*|«[^»]*»))*`)
var blank = regexp.MustCompile(`^(?: |\r?\n|--[^\n]*)*`)
var errNoLean = errors.New("the header is no Lean")

// canonicalHeader is step 1 of schemas/partitioner.md: the imports in order, one on each line; "" where there is none,
// or where the header is no Lean.
func canonicalHeader(proof string) string {
	header, err := (&reader{rest: strings.TrimPrefix(proof, "\ufeff")}).header()
	if err != nil {
		return ""
	}
	return header
}

// keyOf is the key of a record: 16 bytes of SHA-256 as hexadecimal digits.
func keyOf(header string) string {
	digest := sha256.Sum256([]byte(header))
	return hex.EncodeToString(digest[:16])
}

// reader holds what is left of a file; noLean is set once a header cannot be read further.
type reader struct {
	rest   string
	noLean bool
}

func (r *reader) header() (string, error) {
	var lines []string
	r.skipBlank()
	module := r.take("module")
	if module {
		lines = append(lines, "module")
	}
	if r.take("prelude") {
		return "", errNoLean
	}
	for {
		modifiers := ""
		for _, word := range []string{"public", "meta"} {
			if r.take(word) {
				modifiers += word + " "
			}
		}
		if !r.take("import") {
			// `public` may begin a command of the body, and what is wrong behind it is the body's.
			if r.noLean && modifiers == "" {
				return "", errNoLean
			}
			break
		}
		all := r.take("all")
		imported := name.FindString(r.rest)
		if imported == "" || (!module && (all || modifiers != "")) {
			return "", errNoLean
		}
		r.rest = r.rest[len(imported):]
		r.skipBlank()
		if all {
			imported = "all " + imported
		}
		if line := modifiers + "import " + imported; !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return "", nil
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// take goes behind a word and the blanks after it, if it stands here.
func (r *reader) take(word string) bool {
	if r.noLean || name.FindString(r.rest) != word {
		return false
	}
	r.rest = r.rest[len(word):]
	r.skipBlank()
	return true
}

// skipBlank goes behind white space and comments, which may be nested; a doc comment is none of them.
func (r *reader) skipBlank() {
	for {
		r.rest = r.rest[len(blank.FindString(r.rest)):]
		if strings.HasPrefix(r.rest, "\t") || strings.HasPrefix(r.rest, "\r") {
			r.noLean = true
		}
		if !strings.HasPrefix(r.rest, "/-") || strings.HasPrefix(r.rest, "/--") || strings.HasPrefix(r.rest, "/-!") {
			return
		}
		inside, depth := min(3, len(r.rest)), 1
		for depth > 0 {
			open, closing := strings.Index(r.rest[inside:], "/-"), strings.Index(r.rest[inside:], "-/")
			if closing < 0 {
				r.noLean = true
				return
			}
			if open >= 0 && open < closing {
				depth, inside = depth+1, inside+open+2
			} else {
				depth, inside = depth-1, inside+closing+2
			}
		}
		r.rest = r.rest[inside:]
	}
}
