# The server: `docker build -t gptwright .`, then `docker compose up` (compose.yaml). Torch is its small CPU build.
FROM python:3.12-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir build==1.3.0 && python -m build --wheel --outdir /dist .

FROM python:3.12-slim-bookworm
# bubblewrap: without it no generated code is run
RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap=0.8.* \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 gptwright \
 && install -d -o gptwright /home/gptwright/work/runs
COPY --from=build /dist /dist
# The wheel is that of the stage above.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
 && wheel=$(echo /dist/*.whl) \
 && pip install --no-cache-dir "${wheel}[postgresql,grammar]"
USER 1000
# Runs are kept here: a volume, or a folder of the machine.
WORKDIR /home/gptwright/work
ENV OMP_NUM_THREADS=2
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["gptwright"]
CMD ["--help"]
