{{/* Names, labels and what all pods have in common. A component is a dict of `root` (the chart), `name` (worker, gateway,
router, table, topics) and `own` (its values). */}}

{{- define "streamverify.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "streamverify.name" -}}
{{ include "streamverify.fullname" .root }}-{{ .name }}
{{- end }}

{{- define "streamverify.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "streamverify.labels" -}}
{{ include "streamverify.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "streamverify.image" -}}
{{- $image := .Values.image -}}
{{- $tag := $image.tag -}}
{{- if not (or $tag $image.digest) }}{{ $tag = .Chart.AppVersion }}{{ end -}}
{{- $image.repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The components that are turned on, with the port and the path of each. */}}
{{- define "streamverify.ports" -}}
worker: 9464
gateway: 8000
router: 9464
table: 9464
{{- end }}

{{/* A setting's value as text. A number of a values file is a float: it must not become 9e+06. */}}
{{- define "streamverify.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* What happens between the pod's end and kill -9: the pause before SIGTERM, the drain, and what follows it (leaving the
group, ending REPLs, the last flush: a few seconds; half a minute on a node that is busy). */}}
{{- define "streamverify.leastGrace" -}}
{{ add (int (default 0 .own.preStopSeconds)) (int .own.drainTimeout) 10 }}
{{- end }}
{{- define "streamverify.grace" -}}
{{- if kindIs "invalid" .own.terminationGracePeriodSeconds -}}
{{ add (int (include "streamverify.leastGrace" .)) 20 }}
{{- else -}}
{{ int .own.terminationGracePeriodSeconds }}
{{- end }}
{{- end }}

{{/* Settings by name: those of every process, under those of the component. */}}
{{- define "streamverify.settings" -}}
{{- $own := dict }}{{ with .own.settings }}{{ $own = . }}{{ end }}
{{- range $name, $value := merge (deepCopy $own) .root.Values.settings }}
- name: STREAMVERIFY_{{ $name }}
  value: {{ include "streamverify.text" $value | quote }}
{{- end }}
{{- end }}

{{/* How a process reaches Kafka. */}}
{{- define "streamverify.kafka" -}}
{{- $kafka := .Values.kafka }}
- name: STREAMVERIFY_BOOTSTRAP_SERVERS
  value: {{ $kafka.bootstrapServers | quote }}
- name: STREAMVERIFY_GROUP_ID
  value: {{ $kafka.group | quote }}
- name: STREAMVERIFY_SECURITY_PROTOCOL
  value: {{ $kafka.securityProtocol }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
- name: STREAMVERIFY_SASL_MECHANISM
  value: {{ $kafka.sasl.mechanism }}
- name: STREAMVERIFY_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $kafka.sasl.existingSecret }}, key: {{ $kafka.sasl.usernameKey }}}}
- name: STREAMVERIFY_SASL_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $kafka.sasl.existingSecret }}, key: {{ $kafka.sasl.passwordKey }}}}
{{- end }}
{{- with $kafka.tls }}
{{- if .existingSecret }}
{{- with .caKey }}
- name: STREAMVERIFY_SSL_CAFILE
  value: /etc/streamverify/tls/{{ . }}
{{- end }}
{{- with .certificateKey }}
- name: STREAMVERIFY_SSL_CERTFILE
  value: /etc/streamverify/tls/{{ . }}
{{- end }}
{{- with .privateKeyKey }}
- name: STREAMVERIFY_SSL_KEYFILE
  value: /etc/streamverify/tls/{{ . }}
{{- end }}
{{- if .passwordKey }}
- name: STREAMVERIFY_SSL_KEYFILE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .passwordKey }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A name for static membership that a pod keeps over restarts, and that no pod of another namespace has. Kubernetes
puts in the two variables that stand before it. */}}
{{- define "streamverify.instance" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: STREAMVERIFY_GROUP_INSTANCE_ID
  value: "{{ .instancePrefix }}$(POD_NAMESPACE).$(POD_NAME)"
{{- end }}

{{/* The keys of a pod's spec that are the same for all. */}}
{{- define "streamverify.pod" -}}
automountServiceAccountToken: false
# Else a Service of this release would be a variable of every pod, and STREAMVERIFY_GATEWAY_PORT=tcp://10.0.0.1:8000 is
# no setting that a gateway can start with.
enableServiceLinks: false
{{- with .root.Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .own.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .own.topologySpread }}
topologySpreadConstraints:
{{- range . }}
  - topologyKey: {{ .topologyKey }}
    maxSkew: {{ int .maxSkew }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{ include "streamverify.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {{ default (dict "type" "RuntimeDefault") .seccompProfile | toYaml | nindent 4 }}
{{- end }}

{{/* A container's securityContext, but for what a worker's sandbox adds. */}}
{{- define "streamverify.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "streamverify.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .root.Values.kafka.tls.existingSecret }}
- name: kafka-tls
  mountPath: /etc/streamverify/tls
  readOnly: true
{{- end }}
{{- with .own.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "streamverify.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ default "64Mi" .own.tmpSizeLimit }}}
{{- with .root.Values.kafka.tls.existingSecret }}
- name: kafka-tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- with .own.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Probes of a process: it lives while its event loop turns, whatever Kafka does, and is ready while it does its work.
An outage of the brokers ends no pod. */}}
{{- define "streamverify.probes" -}}
startupProbe:
  httpGet: {path: /live, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ divf (int .startup) 5 | ceil | int }}
livenessProbe:
  httpGet: {path: /live, port: http}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{- define "streamverify.preStop" -}}
{{- with .own.preStopSeconds }}
lifecycle:
  preStop:
    exec: {command: [sleep, {{ int . | quote }}]}
{{- end }}
{{- end }}

{{/* Seconds of less backlog before a worker is ended: longer than its drain and the session in which its partitions wait
for it, and than the next look at the backlog. */}}
{{- define "streamverify.cooldown" -}}
{{- $session := default 45000 (default .root.Values.settings.SESSION_TIMEOUT_MS .own.settings.SESSION_TIMEOUT_MS) }}
{{- if kindIs "invalid" .own.autoscaling.cooldownSeconds -}}
{{ max 300 (add (int (include "streamverify.grace" .)) (div (int $session) 1000) 60) }}
{{- else -}}
{{ int .own.autoscaling.cooldownSeconds }}
{{- end }}
{{- end }}

{{/* The settings that are no key of `settings`, and no variable of extraEnv. */}}
{{- define "streamverify.setByTheChart" -}}
API_KEYS BOOTSTRAP_SERVERS CACHE CACHE_KEY DRAIN_TIMEOUT GATEWAY_HOST GATEWAY_PORT GROUP_ID GROUP_INSTANCE_ID HTTP_HOST HTTP_PORT SANDBOX SASL_MECHANISM SASL_PASSWORD SASL_USERNAME SECURITY_PROTOCOL SSL_CAFILE SSL_CERTFILE SSL_KEYFILE SSL_KEYFILE_PASSWORD
{{- end }}
