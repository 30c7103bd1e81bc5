package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	demeterrr "github.com/demeterrr/demeterrr-go"
)

// leaks returns the places with the key or a person in them: returned values,
// printed in any way, logs, spans and metrics.
func (l *lab) leaks(err error, resp *demeterrr.Response) []string {
	shown := map[string]string{"the log": l.log.String(), "CONNECT": l.connects.String()}
	showErrors(shown, "the error", err)
	show(shown, "the response", resp)
	show(shown, "the response's value", *resp)
	show(shown, "the client", l.client)
	shown["the spans"], shown["the metrics"] = l.observed()
	show(shown, "an option", demeterrr.WithBaseURL(l.base))
	for _, where := range slices.Sorted(maps.Keys(shown)) {
		text := shown[where]
		switch {
		case strings.Contains(text, l.fake.APIKey()):
			return []string{fmt.Sprintf("the key is in %s: %.300q", where, text)}
		case strings.Contains(strings.ToLower(text), "canary"):
			return []string{fmt.Sprintf("an email is in %s: %.300q", where, text)}
		}
	}
	return nil
}

// showErrors shows an error and every error it wraps.
func showErrors(shown map[string]string, what string, err error) {
	if err == nil {
		return
	}
	show(shown, what, err)
	inspect(shown, what+", inside", err)
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for i, below := range list.Unwrap() {
			showErrors(shown, fmt.Sprintf("%s, below it %d", what, i+1), below)
		}
		return
	}
	showErrors(shown, what+", unwrapped", errors.Unwrap(err))
}

// observed returns the whole content of the spans and the metrics.
func (l *lab) observed() (spans, metrics string) {
	var all metricdata.ResourceMetrics
	if err := l.metrics.Collect(context.Background(), &all); err != nil {
		return "", err.Error()
	}
	ended := tracetest.SpanStubsFromReadOnlySpans(l.spans.Ended())
	for i := range ended {
		ended[i].Resource = nil // of the program, not of its calls
	}
	encoded, err := json.Marshal(ended)
	if err != nil {
		return err.Error(), ""
	}
	return string(encoded), fmt.Sprintf("%+v", all.ScopeMetrics)
}

// show prints v in every way that Go programs print.
func show(shown map[string]string, what string, v any) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		shown[what+" as "+verb] = fmt.Sprintf(verb, v)
	}
	if encoded, err := json.Marshal(v); err == nil {
		shown[what+" as JSON"] = string(encoded)
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("it", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("it", "v", v)
	shown[what+" in slog"] = b.String()
}

// inspect collects every text reachable from v, also in unexported fields.
func inspect(shown map[string]string, what string, v any) {
	var texts []string
	seen := map[any]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			texts = append(texts, v.String())
		case reflect.Pointer:
			if v.IsNil() || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			walk(v.Elem())
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
				texts = append(texts, string(v.Bytes()))
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for it := v.MapRange(); it.Next(); {
				walk(it.Key())
				walk(it.Value())
			}
		default: // it holds no text
		}
	}
	walk(reflect.ValueOf(v))
	shown[what] = strings.Join(texts, "\n")
}
