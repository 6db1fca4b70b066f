package config

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
)

// known are the variables that any program of roomsync reads: programs that run side by side share an environment.
var known = sync.OnceValue(func() []string {
	var names []string
	for _, to := range []Section{&Worker{}, &Dispatcher{}, &Access{}, &Setup{}} {
		s := newSettings(pflag.NewFlagSet("", pflag.ContinueOnError), Env{})
		to.declare(s)
		for _, v := range s.all {
			names = append(names, EnvName(v.name))
			if v.secret != nil {
				names = append(names, v.secret.variable)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
})

// others are variables of the tests and the benchmark, which build machines may set for everything.
var others = []string{
	"ROOMSYNC_REQUIRE_DOCKER", "ROOMSYNC_REQUIRE_INTEROP", "ROOMSYNC_REQUIRE_POWERSHELL_PARSER", "ROOMSYNC_SHARED",
	"ROOMSYNC_BENCH_SERVER", "ROOMSYNC_CLOCK_STEP", "ROOMSYNC_TEST_TOKEN_PROCESS",
}

// serviceLink is what Kubernetes sets in every pod for each service, which may be called roomsync or roomsync-worker.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var serviceLink = regexp.MustCompile(`^ROOMSYNC_(\w+_)?(SERVICE_(HOST|PORT)|SERVICE_PORT_\w+|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// strange are variables that look like ours and that nobody reads, probably slips. Their values are never looked at.
func (e Env) strange() (found []Finding) {
	if e.Environ == nil {
		return nil
	}
	for _, variable := range e.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		upper := strings.ToUpper(name)
		same := runtime.GOOS == "windows" || name == upper // there a variable has its name in any case
		switch {
		case !strings.HasPrefix(upper, envPrefix), serviceLink.MatchString(upper):
		case same && (slices.Contains(known(), upper) || slices.Contains(others, upper)):
		default:
			found = append(found, Finding{LevelWarning, name, meant(upper)})
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.About, b.About) })
	return found
}

func meant(name string) string {
	const what = "no program of roomsync reads this variable: "
	short := make([]string, len(known()))
	for i, k := range known() {
		short[i] = strings.TrimPrefix(k, envPrefix)
	}
	if near := nearest(strings.TrimPrefix(name, envPrefix), short); near != "" {
		return what + "did you mean " + envPrefix + near + "?"
	}
	return what + "it is named after none of the flags that --help lists"
}

// logs is a configuration that says how to log, as all do.
type logs interface{ sink() *Log }

func (l *Log) sink() *Log { return l }

// warnStrange logs what the environment holds in vain. It is no fault: it may be meant for a later version.
func warnStrange(log zerolog.Logger, found []Finding) {
	for _, f := range found {
		log.Warn().Str("variable", f.About).Msg(f.Problem)
	}
}
