# Two stages: build the wheel and its dependencies, then a slim image that runs as nobody in particular.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY proxy proxy
COPY rules rules
RUN python -m venv /opt/veil \
 && /opt/veil/bin/pip install --no-cache-dir --constraint constraints.txt .
# Sends instances through the installed package once: it works, and its kernels are compiled into the image.
RUN /opt/veil/bin/veil demo --once

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/veil --create-home veil
COPY --from=build /opt/veil /opt/veil
ENV PATH=/opt/veil/bin:$PATH PYTHONUNBUFFERED=1
USER veil
WORKDIR /var/lib/veil
VOLUME /var/lib/veil
EXPOSE 11112 8042
# `veil health` asks /readyz on loopback; it needs no curl in the image.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["veil", "health", "-c", "/var/lib/veil/veil.yaml"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["veil"]
CMD ["serve", "-c", "/var/lib/veil/veil.yaml"]
