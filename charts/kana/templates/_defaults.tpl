{{/* Which values may be missing, because an older chart's were reused (`helm upgrade --reuse-values`)?

Helm then renders this chart with the defaults of the chart that was installed before. Every key that came after version
0.1.0's first values stands here once more, with the default that it has in values.yaml; `make test-chart` renders both and
compares them. Each template begins with `include "kana.values"`. */}}

{{- define "kana.values" -}}
{{- $defaults := include "kana.newKeys" . | fromYaml -}}
{{- $whole := pick $defaults "podSecurityContext" -}}
{{- range $key, $value := $whole -}}
{{- if not (hasKey $.Values $key) -}}{{- $_ := set $.Values $key $value -}}{{- end -}}
{{- end -}}
{{- include "kana.fill" (list .Values (omit $defaults "podSecurityContext")) -}}
{{- end -}}

{{/* "kana.fill" (list into defaults): sets what is not there. `merge` would also overwrite a false or a 0. */}}
{{- define "kana.fill" -}}
{{- $into := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- if not (hasKey $into $key) -}}
{{- $_ := set $into $key $value -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $into $key)) -}}
{{- include "kana.fill" (list (get $into $key) $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kana.newKeys" -}}
nameOverride: ""
fullnameOverride: ""
commonLabels: {}
podSecurityContext: {runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, fsGroupChangePolicy: OnRootMismatch}
networkPolicy: {apiPorts: [443, 6443, 8443, 16443], dnsPorts: [53, 5353]}
extraObjects: []
gateway:
  limits: {bodyMemory: 96Mi, decodeMemory: 240Mi, connections: 1024, connectionsPerClient: 512}
  finishSeconds: 5
  allowedHosts: []
  rateLimit: 0
  rejectBlank: false
  autoscaling: {enabled: false, min: 2, max: 6, cpuPercent: 70}
  networkPolicy: {extraIngress: [], extraEgress: []}
  {{- include "kana.newPodKeys" . | nindent 2 }}
  {{- include "kana.newProgramKeys" . | nindent 2 }}
worker:
  networkPolicy: {extraIngress: [], extraEgress: []}
  {{- include "kana.newPodKeys" . | nindent 2 }}
  {{- include "kana.newProgramKeys" . | nindent 2 }}
redis:
  queue: {deadTtl: 7d, deadMax: 10000}
  networkPolicy: {extraIngress: [], extraEgress: []}
  exporter:
    enabled: false
    image: {repository: oliver006/redis_exporter, tag: v1.74.0, digest: "", pullPolicy: IfNotPresent}
    resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 64Mi}}
  {{- include "kana.newPodKeys" . | nindent 2 }}
service: {ipFamilyPolicy: "", ipFamilies: []}
ingress: {hosts: [], path: /, pathType: Prefix, tls: {secrets: []}}
monitoring:
  peers: []
  rules: {kubelet: false}
{{- end -}}

{{- define "kana.newPodKeys" -}}
dnsPolicy: ""
dnsConfig: {}
runtimeClassName: ""
probes: {startup: {}, liveness: {}, readiness: {}}
{{- end -}}

{{- define "kana.newProgramKeys" -}}
strategy: {}
serviceAccountAnnotations: {}
envFrom: []
extraVolumes: []
extraVolumeMounts: []
{{- end -}}
