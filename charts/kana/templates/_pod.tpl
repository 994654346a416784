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
  {{- with $values.podLabels }}
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
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The container's side, and a root that cannot be written to. */}}
{{- define "kana.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
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

{{/* "kana.commonEnv" (list . "worker"): what gateway and worker are told alike. */}}
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
