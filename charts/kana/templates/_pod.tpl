{{/* What do all pods have in common? That they are restricted, and where they may go. */}}

{{/* "kana.podMeta" (list . "worker"): labels and annotations of a pod. What it reads once, at its start, is in
them as a digest, so that pods follow when it changes; the chart's version is not, so that Redis survives a new one. */}}
{{- define "kana.podMeta" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
{{- $values := index $root.Values $role -}}
labels:
  {{- include "kana.selector" (list $root $role) | nindent 2 }}
  app.kubernetes.io/part-of: kana
  {{- with merge (deepCopy $values.podLabels) $root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := deepCopy $values.podAnnotations -}}
{{- if and (ne $role "redis") $root.Values.redis.external.url }}
{{- $_ := set $annotations "checksum/queue" (include "kana.redisUrl" $root | sha256sum) -}}
{{- else if eq $role "redis" }}
{{- $_ := set $annotations "checksum/config" (include "kana.redisConfig" $root | sha256sum) -}}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pod's side of the Pod Security Standard "restricted". */}}
{{- define "kana.podSecurity" -}}
{{- $context := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- range $key, $value := .Values.podSecurityContext -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $context $key $value -}}{{- end -}}
{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* The container's side, a root that cannot be written to, and its last lines where it dies without a word. */}}
{{- define "kana.containerSecurity" -}}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* "kana.probes" (list .Values.gateway.probes (dict "startup" (dict …) …)): the chart's own, and over them the values'. A
handler of the values' replaces the chart's. */}}
{{- define "kana.probes" -}}
{{- $over := index . 0 -}}
{{- range $name, $probe := index . 1 -}}
{{- $own := get $over $name | default dict -}}
{{- range $handler := list "httpGet" "exec" "tcpSocket" -}}
{{- if hasKey $own $handler -}}{{- $probe = omit $probe "httpGet" "exec" "tcpSocket" -}}{{- end -}}
{{- end }}
{{ $name }}Probe:
  {{- mergeOverwrite (deepCopy $probe) $own | toYaml | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* "kana.placement" (list . "worker"): on which nodes. */}}
{{- define "kana.placement" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
{{- $values := index $root.Values $role -}}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with $values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.topologySpread }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "kana.selector" (list $root $role) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{/* "kana.commonEnv" (list . "worker"): the variables that gateway and worker have in common. */}}
{{- define "kana.commonEnv" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
{{- include "kana.queueEnv" $root }}
- name: KANA_JOBS_MAX
  value: {{ $root.Values.redis.queue.jobsMax | int64 | quote }}
- name: KANA_LEASE
  value: {{ $root.Values.redis.queue.lease | quote }}
- name: KANA_ATTEMPTS_MAX
  value: {{ $root.Values.redis.queue.attemptsMax | int64 | quote }}
- name: KANA_OUTCOME_TTL
  value: {{ $root.Values.redis.queue.outcomeTtl | quote }}
- name: KANA_DEAD_TTL
  value: {{ $root.Values.redis.queue.deadTtl | quote }}
- name: KANA_DEAD_MAX
  value: {{ $root.Values.redis.queue.deadMax | int64 | quote }}
{{- with $root.Values.image.model }}
- name: KANA_MODEL
  value: {{ . | quote }}
{{- end }}
- name: KANA_LOG
  value: {{ $values.log | quote }}
- name: KANA_LOG_FORMAT
  value: {{ $values.logFormat }}
{{- range $values.extraEnv }}
- name: {{ .name }}
  value: {{ .value | quote }}
{{- end }}
{{- end -}}

{{/* "kana.envFrom" (list . "worker") */}}
{{- define "kana.envFrom" -}}
{{- with (index (index . 0).Values (index . 1)).envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* "kana.mounts" (list . "worker" own): the role's own mounts and the values'; "kana.volumes" is the same for volumes. */}}
{{- define "kana.mounts" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
{{- $own := index . 2 | trim -}}
{{- if or $own $values.extraVolumeMounts }}
volumeMounts:
  {{- with $own }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "kana.volumes" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
{{- $own := index . 2 | trim -}}
{{- if or $own $values.extraVolumes }}
volumes:
  {{- with $own }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* "kana.strategy" (list . "worker" own) */}}
{{- define "kana.strategy" -}}
{{- (index (index . 0).Values (index . 1)).strategy | default (index . 2) | toYaml -}}
{{- end -}}

{{/* "kana.serviceAccount" (list . "worker"): a role's own, which has a token only where a Role gives it rights. */}}
{{- define "kana.serviceAccount" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "kana.meta" (list $root $role (printf "%s-%s" (include "kana.full" $root) $role)) | nindent 2 }}
  {{- with (index $root.Values $role).serviceAccountAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
