# The command `zoo` in a container; docs/cluster.md says how it is built and used.
FROM python:3.11-slim

# A further index, such as PyTorch's own of builds for CPUs; PyPI's torch brings CUDA's libraries.
ARG TORCH_INDEX=
# of pyproject.toml, such as export,ray
ARG EXTRAS=export

# No package of Debian is missing: wheels bring their libraries, and OpenCV is the headless build.
WORKDIR /opt/anomalib-zoo
COPY pyproject.toml README.md LICENSE ./
COPY zoo zoo
COPY plugins plugins
COPY recipes recipes
COPY results results
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[$EXTRAS]"

# Not root. Under `--user` nobody has a home or a name: caches go below /data, and torch asks for USER.
RUN useradd --uid 1000 --no-create-home zoo && install --directory --owner zoo /data
ENV HOME=/data/.home USER=zoo
WORKDIR /data
USER zoo
ENTRYPOINT ["zoo"]
CMD ["--help"]
