# syntax=docker/dockerfile:1
# The same image as tools/image-tar makes, for those who have a container engine: static, from scratch, nobody's root.

FROM node:22-bookworm-slim AS page
WORKDIR /kana/ui
COPY ui/package.json ui/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY ui .
RUN npm run build

FROM rust:1.95.0-bookworm AS build
WORKDIR /kana
# The toolchain of this stage is the pinned one already; its lints and formatter are not needed here.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
COPY --from=page /kana/ui/dist ui/dist
RUN tools/image-root "$(tools/build-static)" /image

FROM scratch
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
WORKDIR /data
EXPOSE 8080 9090
ENTRYPOINT ["/kana"]
