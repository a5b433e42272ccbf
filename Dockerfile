# One image for both programs: `embedline` by default, `embedline-worker` as another command. The model is inside.
ARG BASE=node:24-slim

FROM ${BASE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/core/package.json packages/core/
COPY packages/kernel/package.json packages/kernel/
COPY apps/producer/package.json apps/producer/
# npm links only commands whose files are there.
COPY apps/producer/bin apps/producer/bin
COPY apps/worker/package.json apps/worker/
COPY apps/worker/bin apps/worker/bin
# No install script is needed: native parts come in their packages. Node is the base's own.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -r node_modules/node-linux-* node_modules/.bin/node

FROM ${BASE}
WORKDIR /app
ENV NODE_ENV=production \
    EMBEDLINE_HOME=/data \
    EMBEDLINE_NO_INSTALL=1 \
    PATH=/app/node_modules/.bin:$PATH
COPY --from=build /app/node_modules node_modules
COPY package.json LICENSE NOTICE ./
COPY models models
COPY scripts scripts
COPY packages packages
COPY apps apps
RUN useradd --system --create-home --uid 10001 embedline && mkdir -m 0700 /data && chown embedline /data
USER embedline
VOLUME /data
WORKDIR /corpus
CMD ["embedline", "--help"]
